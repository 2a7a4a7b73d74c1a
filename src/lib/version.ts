import packageJson from '../../package.json' with { type: 'json' }

/** Put in by the build, where it knows the commit; not there when the source itself runs. */
declare const ENTREPOT_COMMIT: string | undefined

/** What `--version` prints: the version, and the commit that it was built from. */
export function versionLine(): string {
  const commit = typeof ENTREPOT_COMMIT === 'string' ? ENTREPOT_COMMIT : ''
  return commit === '' ? packageJson.version : `${packageJson.version} (commit ${commit})`
}
