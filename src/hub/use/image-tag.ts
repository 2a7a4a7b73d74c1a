import { createHash } from 'node:crypto'
import { isTag } from '../../oci/reference.ts'

/*
 * Tags out of what a build knows: branches and git tags hold characters that image tags do not, and
 * are longer than the 128 characters that an image tag has at most (distribution-spec, "Pulling
 * manifests").
 */

const MOST = 128
const HASH_DIGITS = 12

/** As Zadig does it: every character that a tag cannot have becomes "-". */
export function replaceForTag(text: string): string {
  return text.replace(/[^A-Za-z0-9_.-]/gu, '-')
}

/**
 * A valid tag. What is too long ends in a hash of the whole, so that long branches which differ at
 * their ends only stay apart. A tag cannot begin with "." or "-": such a beginning becomes "_".
 * @param text not empty, of the characters that `replaceForTag` leaves
 */
export function fitTag(text: string): string {
  const begun = text.replace(/^[.-]/, '_')
  if (isTag(begun)) return begun
  const hash = createHash('sha256').update(text).digest('hex').slice(0, HASH_DIGITS)
  return `${begun.slice(0, MOST - HASH_DIGITS - 1)}-${hash}`
}

/** `YYYYMMDDhhmmss` in UTC: sorts by time, which listings of tags rely on. */
export function tagTimestamp(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replace(/\D/g, '')
}
