import { z } from 'zod'
import type { ProviderContext } from '../provider.ts'
import { remoteFault } from '../remote-error.ts'
import { refusalOf } from './api-call.ts'
import { callOf } from './jfrog-api.ts'

/** Bytes of one entry of an answer; its longest path has 1,024 characters. */
const MOST_OF_ENTRY = 64 * 1024
const MOST_OF_REFUSAL = 64 * 1024
const LIMITS = { answer: 300_000, idle: 60_000, total: 1_800_000 }

const Item = z.object({
  path: z.string(),
  name: z.string(),
  sha256: z.string().nullish(),
  modified: z.string().nullish(),
})
/** A file of a repository of Artifactory. */
export type FoundItem = z.infer<typeof Item>

const Range = z.object({ notification: z.string().nullish() })

/**
 * The files that hold manifests, of one repository key, below `image` where it is given. Asked for
 * in its query language, which any account may use for items as long as it asks for their places;
 * the listing of folders needs a licence. The answer has all of them at once, so it is read by the
 * entry.
 * @throws AppError also when the answer was cut (`aql.search.query.max.limit`)
 */
export async function* findManifests(
  context: ProviderContext,
  key: string,
  image?: string,
): AsyncIterable<FoundItem> {
  const criteria = {
    repo: key,
    ...(image === undefined ? {} : { path: { $match: `${image}/*` } }),
    $or: [{ name: 'manifest.json' }, { name: 'list.manifest.json' }],
  }
  const fields = '"repo","path","name","sha256","modified"'
  const call = callOf(context, 'search its images', '/artifactory/api/search/aql', {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: `items.find(${JSON.stringify(criteria)}).include(${fields})`,
  })
  const response = await context.fetch(call.url, {
    method: 'POST',
    headers: { accept: 'application/json', ...call.headers },
    body: call.body ?? '',
    signal: context.signal,
    limits: LIMITS,
  })
  if (response.status !== 200) {
    const text = (await response.text()).slice(0, MOST_OF_REFUSAL)
    throw refusalOf(context, call, { status: response.status, headers: response.headers, text })
  }
  let isEnded = false
  for await (const { depth, text } of entriesOf(response.body)) {
    const value = parse(text)
    if (depth > 1) {
      const item = Item.safeParse(value)
      if (!item.success) throw unclear(call.registry)
      yield item.data
      continue
    }
    const range = Range.safeParse(value)
    if (!range.success) continue
    isEnded = true
    if (range.data.notification) {
      throw remoteFault('answer', `${call.registry} cut its answer: ${range.data.notification}`)
    }
  }
  // Without its end there is no telling what is missing.
  if (!isEnded) throw unclear(call.registry)
}

/** Objects of a JSON text that are in an array of the outermost one (2), or in itself (1). */
async function* entriesOf(
  body: ReadableStream<Uint8Array> | null,
): AsyncIterable<{ depth: number; text: string }> {
  if (!body) return
  const decoder = new TextDecoder()
  let depth = 0
  let isText = false
  let isEscaped = false
  /** Of an entry that has begun. */
  let entry = ''
  let entryDepth = 0
  for await (const piece of body) {
    const text = decoder.decode(piece, { stream: true })
    let from = 0
    for (let at = 0; at < text.length; at++) {
      const char = text[at]
      if (isText) {
        if (isEscaped) isEscaped = false
        else if (char === '\\') isEscaped = true
        else if (char === '"') isText = false
      } else if (char === '"') {
        isText = true
      } else if (char === '{' || char === '[') {
        if (char === '{' && depth > 0 && entryDepth === 0) {
          entryDepth = depth
          from = at
        }
        depth++
      } else if (char === '}' || char === ']') {
        depth--
        if (entryDepth > 0 && depth === entryDepth) {
          yield { depth, text: entry + text.slice(from, at + 1) }
          entry = ''
          entryDepth = 0
        }
      }
    }
    if (entryDepth > 0) entry += text.slice(from)
    if (entry.length > MOST_OF_ENTRY) throw remoteFault('answer', 'the answer is no list of files')
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function unclear(registry: string) {
  return remoteFault(
    'answer',
    `${registry} answered the search of its images, but not as its API is documented`,
  )
}
