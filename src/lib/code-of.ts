/** `ENOENT`, `SQLITE_FULL`, `23505`, …: the code that a failure comes with; empty without one. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : ''
}
