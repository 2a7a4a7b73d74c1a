import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuthorizer } from '../accounts/authorize.ts'
import type { Clock } from '../lib/clock.ts'
import { type Digest, type DigestAlgorithm, toDigest } from '../oci/digest.ts'
import { MEDIA_TYPE } from '../oci/media-types.ts'
import { parseReference, parseRepositoryName, type RepositoryName } from '../oci/reference.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import { openFileStore } from '../store/blobs/file-store.ts'
import { bytesOf } from '../store/blobs/source-bytes.ts'
import type { Db } from '../store/db/database.ts'
import { migrate } from '../store/db/migrate.ts'
import type { TestDatabase } from '../store/db/test-databases.ts'
import type { CreateManifestWatch } from './manifest-watch.ts'
import { createProjects } from './projects.ts'
import { createRegistry, type LocalRegistry } from './registry.ts'
import type { Pusher } from './repository-openings.ts'
import { verify } from './verify.ts'

/** The registry as one process sees it: connections and caches of its own. */
export interface TestProcess extends LocalRegistry {
  db: Db
}

export interface ProcessOptions {
  sparse?: boolean
  openUploadsPerAccount?: number
  /** Puts something between the registry and its store. */
  store?: (store: BlobStore) => BlobStore
  /** Puts something between the registry and its database. */
  db?: (db: Db) => Db
  /** Keeps a read model of what is pushed. */
  createWatch?: (clock: Clock) => CreateManifestWatch
}

/** A registry over an empty database and folder, with a clock that only tests move. */
export interface TestRegistry {
  /** The first process. */
  first: TestProcess
  store: BlobStore
  clock: Clock
  /** Moves the time of all processes forward. */
  pass(ms: number): void
  anotherProcess(options?: ProcessOptions): TestProcess
  /** How often a transaction had to run again, in all processes: deadlocks on PostgreSQL. */
  retries(): number
  /** What `verify` says, of the bytes too; stored files that nothing names are problems as well. */
  problems(options?: { sparse?: boolean }): Promise<string[]>
  remove(): Promise<void>
}

/** Of everybody who pushes in these tests. */
export const pusher: Pusher = { account: null, mayCreateProject: true, publicProject: false }

export async function createTestRegistry(
  create: () => Promise<TestDatabase>,
  options: ProcessOptions & {
    /** Of all processes; files unless another one is given. */
    openStore?: (folder: string) => Promise<BlobStore>
  } = {},
): Promise<TestRegistry> {
  const database = await create()
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-registry-'))
  const store = await (options.openStore ?? openFileStore)(folder)
  let now = Date.parse('2026-03-01T12:00:00Z')
  const clock = () => now
  let attempts = 0
  let transactions = 0
  let processes = 0

  function counted(db: Db): Db {
    return {
      ...db,
      transaction(work, settings) {
        transactions++
        return db.transaction((tx) => {
          attempts++
          return work(tx)
        }, settings)
      },
    }
  }

  function open(own: ProcessOptions = {}): TestProcess {
    const merged = { ...options, ...own }
    const { sparse = false, openUploadsPerAccount, store: wrapStore, db: wrapDb } = merged
    const { createWatch } = merged
    const connection = counted(database.open())
    const db = wrapDb ? wrapDb(connection) : connection
    const registry = createRegistry({
      db,
      store: wrapStore ? wrapStore(store) : store,
      clock,
      authorizer: createAuthorizer({
        db,
        clock,
        settings: { anonymousWrite: true, projectCreators: 'all' },
      }),
      projects: createProjects({ db, clock }),
      settings: { sparse, ...(openUploadsPerAccount ? { openUploadsPerAccount } : {}) },
      writer: `process-${++processes}`,
      ...(createWatch ? { watch: createWatch(clock) } : {}),
    })
    return { ...registry, db }
  }

  // The schema is not what the tests count.
  await migrate(database.open())
  const first = open()
  return {
    first,
    store,
    clock,
    pass(ms) {
      now += ms
    },
    anotherProcess: open,
    retries: () => attempts - transactions,
    async problems({ sparse = options.sparse ?? false } = {}) {
      const { problems } = await verify({ db: first.db, store }, { deep: true, sparse })
      const named = await first.db.query
        .selectFrom('content')
        .select('storage_key')
        .union(first.db.query.selectFrom('upload').select('storage_key'))
        .execute()
      const keys = new Set(named.map((row) => row.storage_key))
      for await (const { key } of store.list()) {
        if (!keys.has(key)) problems.push(`nothing names the stored ${key}`)
      }
      return problems
    },
    async remove() {
      await database.remove()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export function nameOf(raw: string): RepositoryName {
  const name = parseRepositoryName(raw)
  if (!name) throw new Error(`not a repository name: ${raw}`)
  return name
}

export function ownerOf(raw: string, account: number | null = null) {
  return { repository: nameOf(raw), account }
}

export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return toDigest(algorithm, Bun.CryptoHasher.hash(algorithm, bytes, 'hex'))
}

/** The same bytes for the same seed, without a pattern that a wrong offset could hide in. */
export function noise(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size)
  for (let i = 0, x = seed | 0; i < size; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) | 0
    bytes[i] = x >>> 24
  }
  return bytes
}

/** A body in the given chunks. */
export async function* bodyOf(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield chunk
}

/** Pushes a blob in one request. */
export async function pushBlob(
  process: TestProcess,
  name: string,
  bytes: Uint8Array,
  { algorithm = 'sha256', as = pusher }: { algorithm?: DigestAlgorithm; as?: Pusher } = {},
): Promise<Digest> {
  const digest = digestOf(bytes, algorithm)
  await process.uploads.single(ownerOf(name), {
    digest,
    body: bodyOf(bytes),
    authorizeCommit: async () => as,
  })
  return digest
}

/** All bytes of a blob, as a pull gets them. */
export async function readBlob(
  process: TestProcess,
  name: string,
  digest: Digest,
): Promise<Uint8Array> {
  const blob = await process.blobs.get(nameOf(name), digest)
  const bytes = await bytesOf(await process.blobs.open(blob))
  if (!bytes) throw new Error('files are not redirected')
  return bytes
}

export interface TestManifest {
  bytes: Uint8Array
  mediaType: string
  digest: Digest
}

export interface TestDescriptor {
  digest: string
  size: number
  mediaType?: string
  [more: string]: unknown
}

function manifestOf(mediaType: string, body: Record<string, unknown>): TestManifest {
  const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType, ...body }))
  return { bytes, mediaType, digest: digestOf(bytes) }
}

/** An image of the given blobs; the first one is its config. `more`: fields of the manifest. */
export function imageOf(
  [config, ...layers]: readonly Uint8Array[],
  more: Record<string, unknown> = {},
): TestManifest {
  return manifestOf(MEDIA_TYPE.ociManifest, {
    config: descriptorOf(config ?? new Uint8Array(), 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map((layer) => descriptorOf(layer, 'application/vnd.oci.image.layer.v1.tar')),
    ...more,
  })
}

export function indexOf(
  manifests: readonly TestDescriptor[],
  more: Record<string, unknown> = {},
): TestManifest {
  return manifestOf(MEDIA_TYPE.ociIndex, { manifests, ...more })
}

export function descriptorOf(bytes: Uint8Array, mediaType: string): TestDescriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length }
}

/** What a descriptor of this manifest says. */
export function refTo({ digest, mediaType, bytes }: TestManifest): TestDescriptor {
  return { mediaType, digest, size: bytes.length }
}

/** Pushes a manifest under a tag, or by its digest. */
export function pushManifest(
  process: TestProcess,
  name: string,
  { bytes, mediaType, digest }: TestManifest,
  { tag = '', tags = [], as = pusher }: { tag?: string; tags?: string[]; as?: Pusher } = {},
) {
  const reference = parseReference(tag || digest)
  if (!reference) throw new Error(`not a reference: ${tag}`)
  const push = { name: nameOf(name), reference, tags, contentType: mediaType, bytes, pusher: as }
  return process.manifests.put(push)
}

/** Pushes the blobs, then an image of them. */
export async function pushImage(
  process: TestProcess,
  name: string,
  blobs: readonly Uint8Array[],
  options: { tag?: string; tags?: string[]; more?: Record<string, unknown> } = {},
): Promise<TestManifest> {
  for (const bytes of blobs) await pushBlob(process, name, bytes)
  const image = imageOf(blobs, options.more)
  await pushManifest(process, name, image, options)
  return image
}

/** A door that work waits at until the test opens it. */
export function createGate() {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { open: () => resolve(), opened: promise }
}
