/**
 * The command that runs this program with `args`: the executable that was built, or Bun with the
 * source. Bun's limit of 16 KiB for all headers is too small for the tokens of some proxies.
 */
export function selfCommand(...args: string[]): string[] {
  const isCompiled = Bun.main.startsWith('/$bunfs/')
  return isCompiled
    ? [process.execPath, ...args]
    : [process.execPath, '--max-http-header-size=65536', Bun.main, ...args]
}
