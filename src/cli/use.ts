import { stringify } from 'yaml'
import { z } from 'zod'
import { Handout } from '../http/api/registry-use-schemas.ts'
import { credentialResponse } from '../hub/use/credential-provider.ts'
import type { NamingRules } from '../hub/use/naming-rules.ts'
import { AppError } from '../lib/errors.ts'
import type { ApiClient } from './api-client.ts'

type Given = z.output<typeof Handout>

/** What `use` prints of a hand-out. */
const FORMATS: Record<string, (handout: Given) => string> = {
  env: ({ shell }) => shell.env,
  json: asJson,
  'docker-config': ({ dockerConfig }) => asJson(dockerConfig),
  login: ({ shell }) => shell.login,
  k8s: ({ pullSecret, registry }) =>
    asYaml(pullSecret ?? fail(`registry "${registry.name}" takes everybody: no secret is needed`)),
  'cron-job': (handout) => refresherOf(handout).cronJob,
  'kubelet-config': (handout) => refresherOf(handout).credentialProvider,
}
/** For the kubelet itself: it asks on the standard input. */
const KUBELET = 'kubelet'

export const USE_FORMATS = [...Object.keys(FORMATS), KUBELET]

export interface UseOptions {
  project: string
  image?: string | undefined
  registry?: string | undefined
  purpose: string
  environment?: string | undefined
  format: string
  build: {
    service?: string | undefined
    taskId?: string | undefined
    branch?: string | undefined
    gitTag?: string | undefined
    pullRequests?: number[] | undefined
    commit?: string | undefined
  }
  rules: NamingRules
  kubernetes: { namespace?: string | undefined; secretName?: string | undefined }
}

/**
 * What a pipeline needs to use a registry, as one of `USE_FORMATS`. It holds secrets, so it goes to
 * the standard output and nowhere else.
 */
export async function use(
  api: ApiClient,
  { project, format, build, rules, kubernetes, ...asked }: UseOptions,
  readStdin: () => Promise<string> = () => Bun.stdin.text(),
): Promise<string> {
  const render = FORMATS[format]
  if (!render && format !== KUBELET) {
    throw new AppError('invalid_input', `--format must be one of ${USE_FORMATS.join(', ')}`)
  }
  const image = render ? undefined : imageAskedFor(await readStdin())
  const handout = await api.call('POST', `/projects/${encodeURIComponent(project)}/handouts`, {
    body: {
      ...asked,
      ...unlessEmpty({ build }),
      ...unlessEmpty({ rules }),
      ...unlessEmpty({ kubernetes }),
    },
    answer: Handout,
  })
  return render ? render(handout) : asJson(kubeletAnswer(handout, image ?? ''))
}

/** Nothing for a registry that the image is not in: kubelet would send the login there. */
function kubeletAnswer({ registry, login }: Given, image: string): object {
  const { host } = registry
  const answer = credentialResponse(host, login ?? { username: '', password: '' }, Date.now())
  const isThere = image.startsWith(`${host}/`)
  return login && isThere ? answer : { ...answer, auth: {} }
}

const Request = z.object({ kind: z.literal('CredentialProviderRequest'), image: z.string() })

function imageAskedFor(text: string): string {
  try {
    return Request.parse(JSON.parse(text)).image
  } catch (error) {
    const message = 'the standard input must be a CredentialProviderRequest of the kubelet'
    throw new AppError('invalid_input', message, {}, error)
  }
}

function refresherOf({ refresher, registry }: Given) {
  return refresher ?? fail(`the login of registry "${registry.name}" does not expire`)
}

function fail(message: string): never {
  throw new AppError('conflict', message)
}

/** `{}` when none of its fields are there. */
function unlessEmpty(group: Record<string, object>): object {
  const filled = Object.values(group).some((fields) =>
    Object.values(fields).some((value) => value !== undefined),
  )
  return filled ? group : {}
}

function asJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

function asYaml(value: object): string {
  return stringify(value, { lineWidth: 0 })
}
