/*
 * Versions of charts: semver 2, as leniently read as Helm does (a leading `v`, one or two numbers).
 */

const VERSION =
  /^v?(\d{1,20})(?:\.(\d{1,20}))?(?:\.(\d{1,20}))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$/

/** What a tag can hold (distribution-spec, "Pulling manifests"). */
const LONGEST = 128

export interface Version {
  text: string
  /** Sorts by bytes as semver sorts versions; equal but for build metadata: by that. */
  key: string
}

/** undefined: not a version, or too long for a tag. */
export function parseVersion(text: string): Version | undefined {
  const match = text.length <= LONGEST ? VERSION.exec(text) : null
  if (!match) return undefined
  const [, major = '0', minor = '0', patch = '0', pre, build = ''] = match
  const numbers = [major, minor, patch].map(numberKey).join('')
  // The end of a list sorts before what goes on; no pre-release sorts after every one (semver 11.3).
  const rest = pre === undefined ? '3' : `${pre.split('.').map(identifierKey).join('')}0`
  return { text, key: `${numbers}${rest}+${build}` }
}

/** Matches the keys of versions that are no pre-releases: see how they end in `parseVersion`. */
export const RELEASE_KEYS = '%3+%'

/** Tags have no `+`; this is how Helm writes it. */
export function tagOf(version: string): string {
  return version.replaceAll('+', '_')
}

/** Numbers before words, numbers by value, words by ASCII (semver 11.4). */
function identifierKey(identifier: string): string {
  return /^\d+$/.test(identifier) ? `1${numberKey(identifier)}` : `2${identifier} `
}

/** More digits, greater number. */
function numberKey(digits: string): string {
  const value = digits.replace(/^0+(?=\d)/, '')
  return `${String(value.length).padStart(3, '0')}${value}`
}
