const REPOSITORIES = Number(process.env.ENTREPOT_TEST_INVENTORY_REPOSITORIES ?? 2_000)
const TAGS = 50

/** 2,000 repositories of 50 tags, one of them an index. */
export function fullSize(): Record<string, string[]> {
  const tags = Array.from({ length: TAGS }, (_, i) => (i === 25 ? 'multi-25' : `1.0.${i}`))
  return Object.fromEntries(
    Array.from({ length: REPOSITORIES }, (_, i) => [`team-${i % 20}/service-${i}`, tags]),
  )
}
