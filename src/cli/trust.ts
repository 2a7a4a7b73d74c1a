import type { z } from 'zod'
import { Trust } from '../http/api/registry-use-schemas.ts'
import { AppError } from '../lib/errors.ts'
import type { ApiClient } from './api-client.ts'

type Given = z.output<typeof Trust>
type Client = Given['clients'][number]

export interface TrustOptions {
  /** Id; left out: all that one may see. */
  registry?: string | undefined
  /** `docker`, …; left out: all. */
  client?: string | undefined
  format: string
}

/** What clients must be told of registries with certificates of their own. */
export async function trust(
  api: ApiClient,
  { registry, client, format }: TrustOptions,
): Promise<string> {
  if (format !== 'text' && format !== 'json') {
    throw new AppError('invalid_input', '--format must be one of text, json')
  }
  const path = registry === undefined ? '' : `/${encodeURIComponent(registry)}`
  const answer = await api.call('GET', `/registries${path}/trust`, { answer: Trust })
  const clients = answer.clients.filter((one) => client === undefined || one.client === client)
  if (format === 'json') return `${JSON.stringify({ ...answer, clients }, null, 2)}\n`
  if (answer.hosts.length === 0)
    return 'nothing is needed: clients trust these registries already\n'
  if (clients.length === 0) {
    const known = answer.clients.map((one) => one.client).join(', ')
    throw new AppError('invalid_input', `--client must be one of ${known}`)
  }
  return clients.map(textOf).join('\n')
}

function textOf({ client, files, apply }: Client): string {
  const parts = files.map(({ path, content, merge }) => {
    return `# ${path}${merge ? ' (join with what is there)' : ''}\n${content}`
  })
  return [`## ${client}\n`, ...parts, `# then: ${apply.what}\n`].join('\n')
}
