/**
 * The command that runs this program with `args`: the executable that was built, or Bun with the
 * source. Bun's limit of 16 KiB for all headers is too small for the tokens of some proxies; the
 * executable has the larger one built in.
 */
export function selfCommand(...args: string[]): string[] {
  return Bun.isStandaloneExecutable
    ? [process.execPath, ...args]
    : [process.execPath, '--max-http-header-size=65536', Bun.main, ...args]
}
