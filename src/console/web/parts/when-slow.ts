/**
 * `loading` of a button: what is done at once needs no wheel. (One that goes before it came in full
 * would also stay in the page, out of sight, and be read out.)
 */
export function whenSlow(busy: boolean): false | { delay: number } {
  return busy && { delay: 300 }
}
