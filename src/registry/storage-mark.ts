import { constants } from 'node:fs'
import { mkdir, open, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../lib/config.ts'
import { AppError } from '../lib/errors.ts'
import { newHex } from '../lib/ids.ts'
import type { Db, Queryable, Tx } from '../store/db/database.ts'

/*
 * Replicas on one PostgreSQL may each have a folder for the blobs, and nobody would notice until a
 * pull asks the wrong one. So folder and database agree on a mark: an empty file beside the blobs,
 * and its name in the database. The file comes first, and the row decides between several who start
 * at once: who shares the folder with the first one finds its file there, who has another does not.
 */

const SETTING = 'installation.storage-mark'
const MARK = /^storage-[0-9a-f]{16}$/

/**
 * Sees that the folder of the blobs is the one that the database has them in, and marks it where
 * nobody has yet. SQLite lies beside its blobs and needs none.
 * @throws AppError conflict
 */
export async function checkStorageMark(config: Config, db: Db): Promise<void> {
  if (config.database.url === undefined || config.storage.driver !== 'file') return
  const folder = join(config.data, 'blobs')
  const marks = await marksIn(folder)
  let known = await readMark(db.query)
  if (known === undefined) {
    const offered = marks[0] ?? `storage-${newHex(8)}`
    await writeMark(folder, offered)
    known = await keepMark(db, offered)
    // Who came first may share the folder with us.
    if (known !== offered && marks.length === 0) await unlink(join(folder, offered))
  }
  if ((await marksIn(folder)).includes(known)) return
  const found = marks.length === 0 ? 'has no mark' : `has the mark ${marks.join(', ')}`
  throw new AppError(
    'conflict',
    `the database has its blobs in a folder with the mark ${known}, but ${folder} ${found}: as files ` +
      'they can be served only from where they are. Name the data folder that has them; for several ' +
      'replicas take a bucket (storage.driver=s3; see "entrepot migrate --to-storage"), or give all of ' +
      'them the same folder. If this is the right one, restored without its mark, create the empty ' +
      `file ${join(folder, known)}`,
  )
}

/** For a storage without folder, or another one: it is marked anew when files come again. */
export async function forgetStorageMark(tx: Tx): Promise<void> {
  await tx.deleteFrom('setting').where('key', '=', SETTING).execute()
}

async function readMark(on: Queryable): Promise<string | undefined> {
  const row = await on
    .selectFrom('setting')
    .select('value')
    .where('key', '=', SETTING)
    .executeTakeFirst()
  return row?.value
}

/** The mark of whoever was first. */
async function keepMark(db: Db, value: string): Promise<string> {
  await db.transaction((tx) =>
    tx
      .insertInto('setting')
      .values({ key: SETTING, value })
      .onConflict((conflict) => conflict.column('key').doNothing())
      .execute(),
  )
  return (await readMark(db.query)) ?? value
}

async function marksIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.filter((name) => MARK.test(name)).sort()
}

async function writeMark(folder: string, name: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const file = await open(join(folder, name), constants.O_CREAT | constants.O_WRONLY, 0o600)
  await file.close()
  const opened = await open(folder, 'r')
  await opened.sync().finally(() => opened.close())
}
