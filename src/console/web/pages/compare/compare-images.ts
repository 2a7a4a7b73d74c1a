import type { ImageConfig, Layer } from '../artifact/image-config.ts'

/* What two images have in common, and in what they differ. Pure, and for whatever was pushed. */

export interface LayerComparison {
  common: Layer[]
  /** In the first one only. */
  removed: Layer[]
  /** In the second one only. */
  added: Layer[]
}

/** By digest; a layer that is there twice is common as often as both have it. */
export function compareLayers(left: readonly Layer[], right: readonly Layer[]): LayerComparison {
  const free = new Map<string, number>()
  for (const { digest } of left) free.set(digest, (free.get(digest) ?? 0) + 1)
  const common: Layer[] = []
  const added: Layer[] = []
  for (const layer of right) {
    const count = free.get(layer.digest) ?? 0
    if (count === 0) added.push(layer)
    else {
      common.push(layer)
      free.set(layer.digest, count - 1)
    }
  }
  // The last ones of those that are there more often are the ones that went.
  const removed = left
    .toReversed()
    .filter(({ digest }) => {
      const count = free.get(digest) ?? 0
      if (count > 0) free.set(digest, count - 1)
      return count > 0
    })
    .reverse()
  return { common, removed, added }
}

export interface Difference {
  kind: 'fact' | 'environment' | 'label'
  /** Of a fact its key in the texts. */
  name: string
  /** undefined: it has none. */
  left: string | undefined
  right: string | undefined
}

/** What is not the same in two configs, by kind and in the order of the first one. */
export function compareConfigs(left: ImageConfig, right: ImageConfig): Difference[] {
  return [
    ...differences('fact', left.facts, right.facts),
    ...differences('environment', pairsOf(left.environment), pairsOf(right.environment)),
    ...differences('label', left.labels, right.labels),
  ]
}

function differences(
  kind: Difference['kind'],
  left: readonly [string, string][],
  right: readonly [string, string][],
): Difference[] {
  const [before, after] = [new Map(left), new Map(right)]
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((name) => {
    const [one, other] = [before.get(name), after.get(name)]
    return one === other ? [] : [{ kind, name, left: one, right: other }]
  })
}

/** `NAME=value` */
function pairsOf(environment: readonly string[]): [string, string][] {
  return environment.map((line) => {
    const at = line.indexOf('=')
    return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)]
  })
}

export const sizeOf = (layers: readonly Layer[]): number =>
  layers.reduce((sum, { size }) => sum + size, 0)
