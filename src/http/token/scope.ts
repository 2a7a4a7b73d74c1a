import { AppError } from '../../lib/errors.ts'

/*
 * scope    := resource *( SP resource )
 * resource := type [ "(" class ")" ] ":" name ":" action *( "," action )
 *
 * (distribution token specification, "Resource Scope"). A name may begin with `host:port/`, so it
 * lies between the first and the last colon.
 */

/** What a client asks a token for. */
export interface RequestedScope {
  type: 'repository' | 'registry'
  /** As asked, without `host:port/`. Nothing is known of its form but that it is not empty. */
  name: string
  actions: readonly string[]
}

const MAX_SCOPES = 100
/** All names that are asked for come back in the token, which must fit into a header. */
const MAX_LENGTH = 16_384

/** Expands `*`; whatever else is asked for is not ours to grant. */
const ACTIONS = {
  repository: ['pull', 'push', 'delete'],
  registry: ['*'],
} as const

/**
 * Reads all `scope` parameters, each with one or more scopes. Those of one resource are joined.
 * Malformed scopes and unknown types and actions ask for nothing, and are no error.
 * @throws AppError invalid_input when there are too many of them
 */
export function parseScopes(parameters: readonly string[]): RequestedScope[] {
  const texts = parameters
    .flatMap((parameter) => parameter.split(' '))
    .filter((text) => text !== '')
  const length = parameters.reduce((sum, parameter) => sum + parameter.length, 0)
  if (texts.length > MAX_SCOPES || length > MAX_LENGTH) {
    throw new AppError(
      'invalid_input',
      `a token can be asked for at most ${MAX_SCOPES} scopes of ${MAX_LENGTH} characters together`,
      { field: 'scope' },
    )
  }
  const joined = new Map<string, RequestedScope>()
  for (const text of texts) {
    const scope = parseScope(text)
    if (!scope) continue
    const key = `${scope.type}:${scope.name}`
    const before = joined.get(key)?.actions ?? []
    joined.set(key, { ...scope, actions: [...new Set([...before, ...scope.actions])] })
  }
  return [...joined.values()]
}

function parseScope(text: string): RequestedScope | undefined {
  const first = text.indexOf(':')
  const last = text.lastIndexOf(':')
  if (first === -1 || first === last) return undefined
  const type = typeOf(text.slice(0, first))
  const name = text.slice(first + 1, last).replace(/^[^/:]+:\d+\//, '')
  if (!type || name === '') return undefined
  const asked = text.slice(last + 1).split(',')
  const known: readonly string[] = ACTIONS[type]
  // In the order of the client: crane asks `push,pull` and compares with what it asked.
  const actions = asked.includes('*') ? known : asked.filter((action) => known.includes(action))
  return actions.length === 0 ? undefined : { type, name, actions: [...new Set(actions)] }
}

/** The class is of no consequence: old Docker asks `repository(plugin)` for plugins. */
function typeOf(text: string): RequestedScope['type'] | undefined {
  const type = /^([a-z]+)(?:\([a-z0-9]+\))?$/.exec(text)?.[1]
  return type === 'repository' || type === 'registry' ? type : undefined
}

/** The form in which the answer to a POST names what was granted. */
export function formatScopes(scopes: readonly RequestedScope[]): string {
  return scopes.map(({ type, name, actions }) => `${type}:${name}:${actions.join(',')}`).join(' ')
}
