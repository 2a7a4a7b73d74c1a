import { expect } from 'bun:test'
import type { MadeImage } from './test-images.ts'
import type { TestSync } from './test-inventory.ts'
import type { TestSource } from './test-source.ts'

/** `repository:tag`, sorted. */
export function namesOf({ repositories }: TestSource): string[] {
  return [...repositories]
    .flatMap(([name, { tags }]) => [...tags.keys()].map((tag) => `${name}:${tag}`))
    .sort()
}

/**
 * The inventory has all that the source has, and nothing else: digests, types, sizes, platforms,
 * images of indexes, and push times (`withFacts`: where the registry's own API was read).
 */
export async function expectEqualToSource(
  { accounts, registry }: Pick<TestSync, 'accounts' | 'registry'>,
  source: TestSource,
  { withFacts = true }: { withFacts?: boolean } = {},
): Promise<void> {
  const rows = await accounts.db.query
    .selectFrom('registry_image')
    .selectAll()
    .where('registry', '=', registry)
    .where('gone_at', 'is', null)
    .execute()
  const found = rows.map((row) => ({
    name: `${row.repository}:${row.tag}`,
    digest: row.digest,
    type: row.media_type,
    size: row.size,
    platforms: row.platforms,
    children: row.children,
    pushedAt: withFacts ? row.pushed_at : undefined,
    updatedAt: withFacts ? row.updated_at : undefined,
  }))
  const expected = [...source.repositories].flatMap(([repository, { tags }]) =>
    [...tags].map(([tag, { pushedAt }]) => {
      const image = source.image(repository, tag)
      return {
        name: `${repository}:${tag}`,
        digest: image.digest,
        type: image.type,
        size: image.size,
        platforms: JSON.stringify(platformsOf(image)),
        children: JSON.stringify(
          image.children
            .filter(({ platform }) => platform.os !== 'unknown')
            .map((child) => ({
              digest: child.digest,
              platform: platformsOf(child)[0],
              size: child.size,
            })),
        ),
        pushedAt: withFacts ? pushedAt : undefined,
        updatedAt: withFacts ? pushedAt : undefined,
      }
    }),
  )
  const counted = await accounts.db.query
    .selectFrom('registry_repository')
    .select(['repository', 'images'])
    .where('registry', '=', registry)
    .where('images', '>', 0)
    .execute()
  expect(new Map(counted.map(({ repository, images }) => [repository, images]))).toEqual(
    new Map([...source.repositories].map(([name, { tags }]) => [name, tags.size])),
  )
  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1)
  const [one, other] = [found.sort(byName), expected.sort(byName)]
  expect(one.length).toBe(other.length)
  // One by one: the difference of two long lists takes minutes to be shown.
  for (const [index, image] of one.entries()) expect(image).toEqual(other[index] as typeof image)
}

function platformsOf({ platform, children }: MadeImage): string[] {
  if (children.length > 0) {
    return children.flatMap((child) => (child.platform.os === 'unknown' ? [] : platformsOf(child)))
  }
  const { os, architecture, variant } = platform
  return [[os, architecture, variant].filter(Boolean).join('/')]
}
