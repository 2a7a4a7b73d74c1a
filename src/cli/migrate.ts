import type { Config, LoadedConfig } from '../lib/config.ts'
import { AppError } from '../lib/errors.ts'
import { formatBytes } from '../lib/format.ts'
import { describeEstimate, estimateMove } from '../registry/moving/estimate.ts'
import { describeMove, type MoveProgress, moveInstallation } from '../registry/moving/move.ts'
import { databasePlaceOf, storagePlaceOf } from '../registry/places.ts'
import { shownUrl } from './shown-url.ts'

export interface MigrateOptions {
  toDatabase?: string | undefined
  toStorage?: string | undefined
  parallel: number
  dryRun: boolean
  startOver: boolean
  leaveDamaged: boolean
}

const LINE_EVERY_MS = 5_000
const BUCKET = /^s3:\/\/(?<bucket>[^/]+)(\/(?<prefix>.*))?$/

/**
 * Moves an installation that stands still to another database or storage, and says what to set.
 * @throws AppError with a sentence on what stands in the way
 */
export async function migrate({ config }: LoadedConfig, options: MigrateOptions): Promise<void> {
  const target = targetOf(config, options)
  const print = (line: string) => process.stdout.write(`${line}\n`)
  for (const line of describeMove(config, target)) print(line)
  if (options.dryRun) {
    for (const line of describeEstimate(await estimateMove(config, target, options))) print(line)
    return
  }
  const { rows, blobs, wasDone } = await moveInstallation(config, {
    ...options,
    target,
    onProgress: createProgressLines((line) => process.stderr.write(`${line}\n`)),
  })
  if (wasDone) print('this was moved before, nothing is left to do')
  if (blobs) {
    print(
      `${blobs.blobs} blobs, ${formatBytes(blobs.bytes)}: each has its digest in the new storage`,
    )
    for (const problem of blobs.damaged) print(`left behind: ${problem}`)
  }
  if (rows) print(`${rows.rows} rows of ${rows.tables} tables: their checksums are the same`)
  print(`\n${whatToSet(config, target).join('\n')}`)
}

/** The settings as they will be. */
function targetOf(config: Config, { toDatabase, toStorage }: MigrateOptions): Config {
  if (toDatabase === undefined && toStorage === undefined) {
    throw new AppError('invalid_input', 'name --to-database, --to-storage, or both')
  }
  const target = {
    ...config,
    database: { ...config.database, url: databaseUrlOf(config, toDatabase) },
    storage: storageOf(config, toStorage),
  }
  const places = (one: Config) => JSON.stringify([databasePlaceOf(one), storagePlaceOf(one)])
  if (places(target) !== places(config)) return target
  throw new AppError('invalid_input', 'the settings name the same database and storage already')
}

function databaseUrlOf(config: Config, to: string | undefined): string | undefined {
  if (to === undefined) return config.database.url
  if (to === 'sqlite') return undefined
  if (/^postgres(ql)?:\/\/[^/]/.test(to)) return to
  throw new AppError(
    'invalid_input',
    '--to-database must be postgres://user:password@host:port/database, or sqlite',
  )
}

function storageOf(config: Config, to: string | undefined): Config['storage'] {
  if (to === undefined) return config.storage
  if (to === 'file') return { ...config.storage, driver: 'file' }
  const { bucket, prefix } = BUCKET.exec(to)?.groups ?? {}
  if (bucket === undefined) {
    throw new AppError('invalid_input', '--to-storage must be s3://bucket/prefix, or file')
  }
  const { prefix: _, ...rest } = config.storage.s3
  const path = prefix?.replaceAll(/^\/+|\/+$/g, '')
  return { driver: 's3', s3: { ...rest, bucket, ...(path ? { prefix: path } : {}) } }
}

function whatToSet(config: Config, target: Config): string[] {
  const lines: string[] = []
  if (databasePlaceOf(config) !== databasePlaceOf(target)) {
    lines.push(
      target.database.url === undefined
        ? '  without ENTREPOT_DATABASE_URL (database.url)'
        : `  ENTREPOT_DATABASE_URL=${shownUrl(target.database.url) ?? 'as given to --to-database'}`,
    )
  }
  const { driver, s3 } = target.storage
  if (config.storage.driver !== driver) lines.push(`  ENTREPOT_STORAGE_DRIVER=${driver}`)
  if (
    driver === 's3' &&
    JSON.stringify(storagePlaceOf(config)) !== JSON.stringify(storagePlaceOf(target))
  ) {
    lines.push(
      `  ENTREPOT_STORAGE_S3_BUCKET=${s3.bucket}`,
      s3.prefix === undefined
        ? '  without ENTREPOT_STORAGE_S3_PREFIX'
        : `  ENTREPOT_STORAGE_S3_PREFIX=${s3.prefix}`,
      '  and the other ENTREPOT_STORAGE_S3_… as they were given to this command',
    )
  }
  return [
    'Before the next start set (or the same in the settings file):',
    ...lines,
    'The sealing key stays the same: keep sealing.key in the data folder, or its content in',
    'ENTREPOT_SEALING_KEY. A server with another data folder needs it too.',
    'What was moved is still where it was. Remove it when "entrepot verify" finds nothing wrong.',
  ]
}

function createProgressLines(write: (line: string) => void): (progress: MoveProgress) => void {
  const begunAt = Date.now()
  let saidAt = begunAt
  return (progress) => {
    if (Date.now() - saidAt < LINE_EVERY_MS) return
    saidAt = Date.now()
    if (progress.part === 'rows') {
      const { table, tables, tablesDone, rows } = progress
      write(`rows: ${rows}, ${tablesDone} of ${tables} tables are through, now ${table}`)
      return
    }
    const { blobs, bytes, allBlobs, allBytes } = progress
    const speed = bytes / ((Date.now() - begunAt) / 1000)
    write(
      `blobs: ${blobs} of ${allBlobs}, ${formatBytes(bytes)} of ${formatBytes(allBytes)}, ` +
        `${formatBytes(Math.round(speed))}/s`,
    )
  }
}
