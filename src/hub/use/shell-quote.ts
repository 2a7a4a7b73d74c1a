/**
 * A text as one word of a POSIX shell, whatever it holds: within single quotes nothing has a meaning
 * but the quote itself. NUL cannot be in a word at all, and is left out.
 */
export function shellQuote(text: string): string {
  return `'${text.replaceAll('\0', '').replaceAll("'", "'\\''")}'`
}
