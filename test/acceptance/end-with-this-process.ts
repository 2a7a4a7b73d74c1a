/**
 * Runs a command of the shell, with arguments from `$1` on, once this process is gone however it
 * ended: `bun test` runs no exit handlers, and may be killed.
 */
export const endWithThisProcess = (command: string, ...args: readonly string[]): void => {
  const wait = 'while kill -0 "$0" 2>/dev/null; do sleep 0.5; done'
  const watcher = Bun.spawn(['sh', '-c', `${wait}; ${command}`, String(process.pid), ...args], {
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  watcher.unref()
}
