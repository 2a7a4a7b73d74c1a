const HIDDEN = '[redacted]'
const MAX_DEPTH = 6

/** Names whose value is a secret, however they are written: `refresh_token`, `X-Auth-Token`. */
const SECRET_NAME =
  /(^|[_-])(authorization|cookie|password|passwd|secret|token|apikey|sealing[_-]?key|private[_-]?key|access[_-]?key|secret[_-]?key|client[_-]?secret|credential|credentials|signature)$/

/**
 * What may stand inside of a text: credentials of a URL, a header's credentials, tokens in a
 * query (also the signature of a presigned address).
 */
const SECRET_IN_TEXT: [RegExp, string][] = [
  // Our own API and refresh tokens and those of runners, wherever somebody put them.
  [/\bep[trpne]_[\w-]{16,}/g, HIDDEN],
  [/(:\/\/[^\s/:@]*):[^\s@/]+@/g, `$1:${HIDDEN}@`],
  // A credential has capitals or digits; "basic authentication" has none after its first letter.
  [/\b([Bb]earer|[Bb]asic)\s+(?=\S+[A-Z\d])[\w~+/.=-]{8,}/g, `$1 ${HIDDEN}`],
  [
    /([?&;](?:[\w-]*(?:token|password|secret|signature|credential|assertion)|sig|code)=)[^&\s"'#]+/gi,
    `$1${HIDDEN}`,
  ],
]
const MAY_HOLD_SECRET = /:\/\/|bearer|basic|[?&;][\w-]+=|ep[trpne]_/i

/**
 * A copy of `fields` without secrets: values under secret names are replaced, credentials inside
 * of texts are cut out, and errors become plain objects with their stack and causes.
 */
export function redact(fields: Record<string, unknown>): Record<string, unknown> {
  return redactObject(fields, 0)
}

/** `text` without credentials in URLs, headers and queries. */
export function redactText(text: string): string {
  if (!MAY_HOLD_SECRET.test(text)) return text
  let result = text
  for (const [pattern, replacement] of SECRET_IN_TEXT) result = result.replace(pattern, replacement)
  return result
}

function redactObject(fields: object, depth: number): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    result[name] = isSecretName(name) && hides(value) ? HIDDEN : redactValue(value, depth)
  }
  return result
}

/** A flag such as `password: true` or a count tells nothing. */
function hides(value: unknown): boolean {
  return value !== undefined && value !== null && typeof value !== 'boolean'
}

/** Names of fields are few and come back with every line; those of foreign objects are not kept. */
const decided = new Map<string, boolean>()
const MOST_DECIDED = 1000

function isSecretName(name: string): boolean {
  const known = decided.get(name)
  if (known !== undefined) return known
  const isSecret = SECRET_NAME.test(name.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase())
  if (decided.size < MOST_DECIDED) decided.set(name, isSecret)
  return isSecret
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value)
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth >= MAX_DEPTH) return '[deep]'
  if (value instanceof Error) return describeError(value, depth)
  if (Array.isArray(value)) return value.map((entry) => redactValue(entry, depth + 1))
  if (value instanceof Headers) return redactObject(Object.fromEntries(value), depth + 1)
  if (value instanceof URL) return redactText(value.href)
  if (value instanceof Date) return value
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  return redactObject(value, depth + 1)
}

function describeError(error: Error, depth: number): Record<string, unknown> {
  const { name, message, stack, cause, ...rest } = error
  return {
    type: error.name,
    message: redactText(error.message),
    ...redactObject(rest, depth + 1),
    ...(stack === undefined ? {} : { stack: redactText(stack) }),
    ...(cause === undefined ? {} : { cause: redactValue(cause, depth + 1) }),
  }
}
