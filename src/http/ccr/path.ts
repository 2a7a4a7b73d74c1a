import { AppError } from '../../lib/errors.ts'

/*
 * Paths of CCR. Names of repositories and charts may have slashes, as they are or encoded, once or
 * (for Harbor's clients) twice; so what stands behind a name decides, and it is looked for from the
 * end. A digest is told from the last part of a name by its colon.
 */

const DIGEST = '[^/]*(?::|%(?:25)?3[Aa])[^/]*'
const PATTERNS: Record<string, string> = {
  project: '[^/]+',
  repository: '.+?',
  chart: '.+?',
  file: '.+?',
  digest: DIGEST,
}
/** A path that ends so is never a repository's own: a list must not turn into a deletion. */
const NOT_ARTIFACTS = `(?!.+/artifacts(?:/${DIGEST})?$)`

/** The pattern of a route's path; parts in braces are named groups. */
export function patternOf(path: string): RegExp {
  const guarded = path.replace(/\{repository\}$/, (part) => NOT_ARTIFACTS + part)
  const source = guarded.replace(/\{(\w+)\}/g, (_, name: string) => `(?<${name}>${PATTERNS[name]})`)
  return new RegExp(`^${source}$`)
}

/** @throws AppError invalid_input */
export function decodePart(name: string, raw: string): string {
  const once = decode(name, raw)
  // Encoded twice: no name has a percent sign of its own.
  return once.includes('%') ? decode(name, once) : once
}

function decode(name: string, text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    throw new AppError(
      'invalid_input',
      `${name} in the path is ${JSON.stringify(text.slice(0, 100))}: it must be percent-encoded UTF-8`,
      { field: name },
      error,
    )
  }
}
