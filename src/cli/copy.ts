import type { z } from 'zod'
import { TransferView } from '../http/api/transfer-schemas.ts'
import { AppError, isAppError } from '../lib/errors.ts'
import { formatBytes } from '../lib/format.ts'
import type { ApiClient } from './api-client.ts'

/** What is used of it, and no more: an older server leaves out what it does not know. */
const Answer = TransferView.pick({
  id: true,
  state: true,
  digest: true,
  blobs: true,
  bytes: true,
  speed: true,
  notes: true,
  error: true,
  finishedAt: true,
})

type View = z.output<typeof Answer>

export interface CopyOptions {
  source: string
  target: string
  project?: string | undefined
  platforms?: string[] | undefined
  rewriteIndex: boolean
  referrers: boolean
  overwrite: boolean
  wait: boolean
}

/** Where progress goes; a terminal gets one line that changes, everything else a line now and then. */
export interface Progress {
  write(text: string): void
  isTerminal: boolean
}

/** The server answers when the transfer has ended, or then: a line on a terminal changes each second. */
const WAIT_SECONDS = { terminal: 1, elsewhere: 5 }
/** For one that does not answer, or answers at once. */
const PAUSE_MS = 250
/** For one that always answers at once, as versions before `wait` do. */
const POLL_MS = 1_000
const LINE_EVERY_MS = 5_000
/** A server that restarts goes on with the transfer, so waiting goes on too. */
const PATIENCE_MS = 120_000

/**
 * Has the server copy an image, and tells how far it is until it ends, where that was asked for.
 * @returns what goes to the standard output: the id, or the digest of what was copied
 * @throws AppError of the server, or with the sentence of the transfer that failed
 */
export async function copy(
  api: ApiClient,
  { source, target, project, platforms, wait, ...options }: CopyOptions,
  progress: Progress,
): Promise<string> {
  const from = parsePlace(source)
  const to = parsePlace(target)
  if (from.repository === undefined) {
    throw new AppError('invalid_input', `"${source}" names no image`)
  }
  if (to.digest !== undefined) {
    throw new AppError('invalid_input', `"${target}" has a digest; a target has a tag or none`)
  }
  const reference = from.digest ?? from.tag
  const transfer = await api.call('POST', '/transfers', {
    body: {
      ...(project === undefined ? {} : { project }),
      source: {
        registry: from.registry,
        repository: from.repository,
        ...(reference === undefined ? {} : { reference }),
      },
      target: {
        registry: to.registry,
        ...(to.repository === undefined ? {} : { repository: to.repository }),
        ...(to.tag === undefined ? {} : { tag: to.tag }),
      },
      ...(platforms === undefined ? {} : { platforms }),
      index: options.rewriteIndex ? 'rewrite' : 'keep',
      referrers: options.referrers,
      overwrite: options.overwrite,
    },
    answer: Answer,
  })
  if (!wait) return `${transfer.id}\n`
  const ended = await follow(api, transfer.id, progress)
  for (const note of ended.notes) progress.write(`note: ${note}\n`)
  if (ended.state === 'done') return `${ended.digest}\n`
  throw new AppError('conflict', ended.error?.message ?? `transfer ${ended.id} was ${ended.state}`)
}

async function follow(api: ApiClient, id: number, { write, isTerminal }: Progress): Promise<View> {
  const seconds = isTerminal ? WAIT_SECONDS.terminal : WAIT_SECONDS.elsewhere
  let answeredAt = Date.now()
  let lineAt = 0
  let waits = true
  for (;;) {
    const askedAt = Date.now()
    const transfer = await api
      .call('GET', `/transfers/${id}${waits ? `?wait=${seconds}` : ''}`, { answer: Answer })
      .catch((error: unknown) => {
        // A parameter that it does not know is refused as a wrong one is.
        if (waits && isAppError(error, 'invalid_input')) {
          waits = false
          return 'again' as const
        }
        const isGone = !isAppError(error, 'unavailable') || Date.now() - answeredAt > PATIENCE_MS
        if (isGone) throw error
        return undefined
      })
    if (transfer === 'again') continue
    const now = Date.now()
    if (transfer) answeredAt = now
    const isEnded = transfer !== undefined && transfer.finishedAt !== null
    if (transfer && (isTerminal || isEnded || now - lineAt > LINE_EVERY_MS)) {
      lineAt = now
      write(isTerminal ? `\r\x1b[K${lineOf(transfer)}` : `${lineOf(transfer)}\n`)
    }
    if (isEnded) {
      if (isTerminal) write('\n')
      return transfer
    }
    await Bun.sleep(Math.max(0, (waits ? PAUSE_MS : POLL_MS) - (now - askedAt)))
  }
}

/** `transfer 7 running: 3 of 9 blobs, 12 MiB of 80 MiB, 5.1 MiB/s` */
function lineOf({ id, state, blobs, bytes, speed, error }: View): string {
  const there = bytes.sent + bytes.skipped + bytes.mounted
  const isPlanned = blobs.total > 0
  const parts = [
    ...(isPlanned ? [`${blobs.done} of ${blobs.total} blobs`] : []),
    ...(isPlanned ? [`${formatBytes(there)} of ${formatBytes(bytes.total)}`] : []),
    ...(bytes.skipped > 0 ? [`${formatBytes(bytes.skipped)} were there`] : []),
    ...(bytes.mounted > 0 ? [`${formatBytes(bytes.mounted)} mounted`] : []),
    ...(speed > 0 ? [`${formatBytes(speed)}/s`] : []),
    ...(error && state === 'queued' ? [`will try again: ${error.message}`] : []),
  ]
  return [`transfer ${id} ${state}`, parts.join(', ')].filter(Boolean).join(': ')
}

interface Place {
  registry: string
  repository?: string
  tag?: string
  digest?: string
}

/**
 * `payments/api:1.4` is in Entrepot itself; `harbor://team/api:1.4` in the registry of that name or
 * id, `harbor://` that registry. @throws AppError invalid_input
 */
export function parsePlace(text: string): Place {
  const [, named, rest = ''] = /^(?:(.+?):\/\/)?(.*)$/s.exec(text) ?? []
  const registry = named ?? 'self'
  if (rest === '') {
    if (named !== undefined) return { registry }
    throw new AppError('invalid_input', 'the name of an image is empty')
  }
  const [image = '', digest] = rest.split('@')
  const colon = image.indexOf(':')
  const repository = colon < 0 ? image : image.slice(0, colon)
  const tag = colon < 0 ? undefined : image.slice(colon + 1)
  if (repository === '' || tag === '') {
    throw new AppError(
      'invalid_input',
      `"${text}" is not the name of an image; write payments/api:1.4, or harbor://team/api:1.4 for the registry "harbor"`,
    )
  }
  return { registry, repository, ...(tag ? { tag } : {}), ...(digest ? { digest } : {}) }
}
