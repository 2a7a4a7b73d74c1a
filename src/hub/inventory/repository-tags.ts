import type { Tx } from '../../store/db/database.ts'
import type { RepositoryOf } from './repository-rows.ts'

/*
 * The tags of a repository as text for searches. Every image that is written is in some part of it
 * from the same transaction on; when the repository is settled the parts may be put together again.
 * What went may stay in them: who finds something there looks at the images themselves.
 */

const PART = 1_000

type Of = Pick<RepositoryOf, 'registry' | 'repository'>

/** Adds what is not known yet; called before these are written. */
export async function noteTags(tx: Tx, of: Of, tags: readonly string[]): Promise<void> {
  if (tags.length === 0) return
  const known = await tx
    .selectFrom('registry_image')
    .select('tag')
    .where('registry', '=', of.registry)
    .where('repository', '=', of.repository)
    .where('tag', 'in', [...tags])
    .execute()
  const old = new Set(known.map(({ tag }) => tag))
  await addPart(
    tx,
    of,
    tags.filter((tag) => !old.has(tag)),
  )
}

async function addPart(
  tx: Tx,
  { registry, repository }: Of,
  tags: readonly string[],
): Promise<void> {
  if (tags.length === 0) return
  await tx
    .insertInto('registry_tags')
    .values({ registry, repository, count: tags.length, tags: tags.join('\n').toLowerCase() })
    .execute()
}

/**
 * Writes the parts anew where there are too many of them, or too much in them that is gone: not after
 * each new tag, since there may be 100,000. An older program beside this one adds images without.
 */
export async function settleTags(tx: Tx, of: Of): Promise<void> {
  if ((await areTidy(tx, of)) && (await haveAll(tx, of))) return
  await forgetTags(tx, of)
  // Also of what is gone: it may come back with nothing but a mark.
  for await (const tags of pagesOfTags(tx, of)) await addPart(tx, of, tags)
}

async function areTidy(tx: Tx, { registry, repository }: Of): Promise<boolean> {
  const { count } = await tx
    .selectFrom('registry_image')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('registry', '=', registry)
    .where('repository', '=', repository)
    .executeTakeFirstOrThrow()
  const noted = await tx
    .selectFrom('registry_tags')
    .select((eb) => [eb.fn.sum<number | null>('count').as('tags'), eb.fn.countAll().as('parts')])
    .where('registry', '=', registry)
    .where('repository', '=', repository)
    .executeTakeFirstOrThrow()
  const there = Number(count)
  const [tags, parts] = [Number(noted.tags ?? 0), Number(noted.parts)]
  const isTidy = tags <= there * 1.25 + 100 && parts <= 2 * Math.ceil(there / PART) + 8
  return there > 0 && tags >= there && isTidy
}

/** Equal numbers tell nothing: an older program leaves what went, and adds none of what came. */
async function haveAll(tx: Tx, of: Of): Promise<boolean> {
  const parts = await tx
    .selectFrom('registry_tags')
    .select('tags')
    .where('registry', '=', of.registry)
    .where('repository', '=', of.repository)
    .execute()
  const noted = new Set(parts.flatMap(({ tags }) => tags.split('\n')))
  for await (const tags of pagesOfTags(tx, of)) {
    if (!tags.every((tag) => noted.has(tag.toLowerCase()))) return false
  }
  return true
}

async function* pagesOfTags(tx: Tx, { registry, repository }: Of): AsyncGenerator<string[]> {
  for (let after = ''; ; ) {
    const rows = await tx
      .selectFrom('registry_image')
      .select('tag')
      .where('registry', '=', registry)
      .where('repository', '=', repository)
      .where('tag', '>', after)
      .orderBy('tag')
      .limit(PART)
      .execute()
    const last = rows.at(-1)
    if (!last) return
    after = last.tag
    yield rows.map(({ tag }) => tag)
  }
}

async function forgetTags(tx: Tx, { registry, repository }: Of): Promise<void> {
  await tx
    .deleteFrom('registry_tags')
    .where('registry', '=', registry)
    .where('repository', '=', repository)
    .execute()
}
