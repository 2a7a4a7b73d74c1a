/*
 * Scopes of distribution's token specification, `type:name:action,action`. Names may hold colons
 * (a port), so the last one counts.
 */

export function pullScope(repository: string): string {
  return `repository:${repository}:pull`
}

export function pushScope(repository: string): string {
  return `repository:${repository}:pull,push`
}

export function deleteScope(repository: string): string {
  return `repository:${repository}:delete,pull`
}

export const CATALOG_SCOPE = 'registry:catalog:*'

/** One scope per resource with the actions of both, in an order that does not depend on theirs. */
export function uniteScopes(some: readonly string[], others: readonly string[]): string[] {
  const actions = new Map<string, Set<string>>()
  for (const scope of [...some, ...others]) {
    const colon = scope.lastIndexOf(':')
    const resource = scope.slice(0, Math.max(0, colon))
    const known = actions.get(resource) ?? new Set()
    for (const action of scope.slice(colon + 1).split(',')) known.add(action)
    actions.set(resource, known)
  }
  return [...actions]
    .map(([resource, known]) => `${resource}:${[...known].sort().join(',')}`)
    .sort()
}

export function scopeKey(scopes: readonly string[]): string {
  return uniteScopes(scopes, []).join(' ')
}
