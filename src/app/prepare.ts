import { AppError, isAppError } from '../lib/errors.ts'
import type { ProcessContext } from '../lib/process.ts'
import { LIBRARY } from '../oci/reference.ts'
import { demandNoRebuild } from '../registry/journal/rebuild/marker.ts'
import { checkStoragePlace } from '../registry/place-check.ts'
import type { LocalRegistry } from '../registry/registry.ts'
import type { Db } from '../store/db/database.ts'
import { migrate } from '../store/db/migrate.ts'
import { examine } from './examine.ts'
import { buildParts } from './parts.ts'

/** Once per start, before any process serves: schema, keys, first administrator, `library`. */
export async function prepare(context: ProcessContext): Promise<{ adminPassword?: string }> {
  const { config } = context
  await examine(config)
  const { db, store, accounts, registry } = await buildParts(context, 'upkeep')
  try {
    await store.prove()
    await migrate(db)
    await demandNoRebuild(db)
    await checkStoragePlace(config, db, store)
    const admin = await accounts
      .prepare({ adminPassword: config.adminPassword })
      .catch((error: unknown) => {
        if (!isAppError(error, 'invalid_input')) throw error
        throw new AppError('invalid_input', `ENTREPOT_ADMIN_PASSWORD: ${error.message}`)
      })
    await ensureLibrary(db, registry)
    return admin?.generated ? { adminPassword: admin.password } : {}
  } finally {
    await db.close()
  }
}

/** The project of names without a slash exists from the start, for everybody to pull from. */
async function ensureLibrary(db: Db, { projects }: LocalRegistry): Promise<void> {
  if (await projects.get(LIBRARY)) return
  try {
    await db.transaction((tx) =>
      projects.create(tx, { name: LIBRARY, isPublic: true, createdBy: null }),
    )
  } catch (error) {
    if (!isAppError(error, 'conflict')) throw error
  }
}
