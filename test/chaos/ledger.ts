import type { Image } from '../acceptance/raw-registry.ts'

/** An image that was pushed; what became of it when somebody deleted it. */
export type Pushed = {
  readonly repository: string
  readonly tag: string
  readonly digest: string
  readonly blobs: readonly string[]
  /** `maybe`: the deletion was sent, and its answer never came. */
  deleted: 'no' | 'maybe' | 'yes'
}

/** What the registry acknowledged, and what must never have happened. */
export type Ledger = ReturnType<typeof createLedger>

export const createLedger = () => {
  const images: Pushed[] = []
  /** Size by `repository@digest`. */
  const blobs = new Map<string, number>()
  /** What moving tags may point at: the last one acknowledged, and all that were tried since. */
  const moving = new Map<string, Set<string>>()
  const violations: string[] = []
  const counts: Record<string, number> = {}

  return {
    images,
    blobs,
    moving,
    violations,
    counts,
    count(what: string, by = 1) {
      counts[what] = (counts[what] ?? 0) + by
    },
    blob(repository: string, digest: string, size: number) {
      blobs.set(`${repository}@${digest}`, size)
    },
    image(repository: string, tag: string, image: Image): Pushed {
      const pushed: Pushed = {
        repository,
        tag,
        digest: image.manifest.digest,
        blobs: image.blobs.map(({ digest }) => digest),
        deleted: 'no',
      }
      images.push(pushed)
      return pushed
    },
    /** Before a tag is moved; who is not answered may have succeeded. */
    tried(place: string, digest: string) {
      const set = moving.get(place) ?? new Set()
      moving.set(place, set.add(digest))
    },
    /** With an answer; others may be under way, so nothing but those before this one is forgotten. */
    violation(what: string) {
      if (violations.length < 100) violations.push(what)
    },
  }
}
