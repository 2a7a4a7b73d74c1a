import { z } from 'zod'
import type { Says } from './reasons.ts'

/*
 * A sentence and what it says for the console stand in two columns. A program that knows only the
 * first, an older one beside this, changes that alone: so the second tells which sentence it is of,
 * and is not read beside another.
 */

const Stored = z.object({
  name: z.string(),
  params: z.record(z.string(), z.union([z.string(), z.number()])),
  of: z.string(),
})

/** For the column beside `sentence`, as that is stored. */
export function storedSays(sentence: string | null, says: Says | undefined): string | null {
  return sentence === null || says === undefined ? null : JSON.stringify({ ...says, of: sentence })
}

/** What a sentence says; undefined: nothing, or the column is of another one. */
export function saysOf(sentence: string | null, stored: string | null): Says | undefined {
  if (sentence === null || stored === null) return undefined
  return matching(sentence, JSON.parse(stored))
}

/** The same for several sentences in one column; `says` has an entry for each of the first ones. */
export function storedSaysOfAll(sentences: readonly string[], says: readonly Says[]): string {
  return JSON.stringify(
    sentences.slice(0, says.length).map((sentence, i) => ({ ...says[i], of: sentence })),
  )
}

/** In the order of the sentences, up to the first that has none. */
export function saysOfAll(sentences: readonly string[], stored: string): Says[] {
  const all = z.array(z.unknown()).parse(JSON.parse(stored))
  const found: Says[] = []
  for (const sentence of sentences) {
    const says = matching(sentence, all[found.length])
    if (!says) break
    found.push(says)
  }
  return found
}

function matching(sentence: string, stored: unknown): Says | undefined {
  const found = Stored.safeParse(stored)
  if (found.data?.of !== sentence) return undefined
  const { name, params } = found.data
  return { name, params }
}
