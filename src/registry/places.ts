import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Config } from '../lib/config.ts'
import { writeWhole } from '../lib/whole-file.ts'
import { placeOfPostgres } from '../store/db/postgres-errors.ts'

/** Where an installation keeps its blobs. */
export type StoragePlace =
  | { driver: 'file' }
  | { driver: 's3'; bucket: string; prefix: string; endpoint: string }

/** `sqlite`, or the place of a PostgreSQL database without who comes and how. */
export type DatabasePlace = string

export function databasePlaceOf({ database }: Pick<Config, 'database'>): DatabasePlace {
  return database.url === undefined ? 'sqlite' : placeOfPostgres(database.url)
}

export function storagePlaceOf({ storage }: Pick<Config, 'storage'>): StoragePlace {
  if (storage.driver === 'file') return { driver: 'file' }
  const { bucket = '', prefix = '', endpoint = '' } = storage.s3
  return { driver: 's3', bucket, prefix: prefix.replaceAll(/^\/|\/$/g, ''), endpoint }
}

/** The same bucket, though perhaps by another address. */
export function isSameStorage(a: StoragePlace, b: StoragePlace): boolean {
  if (a.driver === 'file' || b.driver === 'file') return a.driver === b.driver
  return a.bucket === b.bucket && a.prefix === b.prefix
}

/** For people: `SQLite in the data folder`. */
export function nameOfDatabase(place: DatabasePlace): string {
  return place === 'sqlite' ? 'SQLite in the data folder' : `PostgreSQL at ${place}`
}

/** As `--to-storage` takes it: `s3://bucket/prefix`, or `file`. */
export function nameOfStorage(place: StoragePlace): string {
  if (place.driver === 'file') return 'file'
  return `s3://${place.bucket}${place.prefix === '' ? '' : `/${place.prefix}`}`
}

/** What a data folder remembers of the installation that it belongs to. */
export interface Marker {
  installation: string
  database: DatabasePlace
  /** As `nameOfStorage` tells it. */
  storage: string
}

const markerSchema = z.object({
  installation: z.string(),
  database: z.string(),
  storage: z.string(),
})

/** In the data folder. */
const MARKER_FILE = 'installation.json'

/** undefined: there is none, or none that can be read. */
export async function readMarker(dataFolder: string): Promise<Marker | undefined> {
  const text = await readFile(join(dataFolder, MARKER_FILE), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    return markerSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

export async function writeMarker(dataFolder: string, marker: Marker): Promise<void> {
  const former = await readMarker(dataFolder)
  if (JSON.stringify(former) === JSON.stringify(markerSchema.parse(marker))) return
  await writeWhole(join(dataFolder, MARKER_FILE), `${JSON.stringify(marker, null, 2)}\n`)
}
