/**
 * The commit that is built, with `+changes` when files differ from it; empty where that is unknown.
 * `ENTREPOT_BUILD_COMMIT` says it where the source comes without its history.
 */
export function commitOf(folder: string): string {
  const told = process.env.ENTREPOT_BUILD_COMMIT
  if (told) return told
  const commit = git(folder, 'rev-parse', '--short=12', 'HEAD')
  const changes = git(folder, 'status', '--porcelain', '--untracked-files=no')
  return commit && changes ? `${commit}+changes` : commit
}

function git(folder: string, ...args: string[]): string {
  try {
    const { exitCode, stdout } = Bun.spawnSync(['git', ...args], { cwd: folder, stderr: 'ignore' })
    return exitCode === 0 ? stdout.toString().trim() : ''
  } catch {
    return ''
  }
}
