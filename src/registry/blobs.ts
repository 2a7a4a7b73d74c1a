import type { Authorizer } from '../accounts/authorize.ts'
import type { Principal } from '../accounts/principal.ts'
import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { gatherBy } from '../lib/gather.ts'
import { shareReads } from '../lib/shared-reads.ts'
import type { Digest } from '../oci/digest.ts'
import type { ByteRange } from '../oci/range.ts'
import type { RepositoryName } from '../oci/reference.ts'
import type { BlobSource, BlobStore } from '../store/blobs/blob-store.ts'
import type { Also, Db, Tx } from '../store/db/database.ts'
import { LIVE, prepare, statements } from '../store/db/prepared.ts'
import { isUndone } from '../store/db/undone.ts'
import { contentOf, createBlobLinks, parentOf } from './blob-links.ts'
import { ensureContents, type NewContent, unlinkContent } from './content.ts'
import { findMountSource } from './mount-source.ts'
import type { Repositories } from './repositories.ts'
import type { OpenRepository, Pusher } from './repository-openings.ts'
import { lostUpload } from './upload-claims.ts'
import type { Upload } from './upload-owner.ts'
import { charge, noChange } from './usage.ts'

/** A HEAD of somebody who may push keeps an unreferenced blob; it need not write each time. */
const REFRESH_AFTER_MS = 3_600_000

/** Blobs of one repository that are committed in one transaction at most. */
const COMMITS_AT_ONCE = 16

/** A blob as a repository shows it. */
export interface Blob {
  size: number
  contentId: number
  storageKey: string | null
  bytes: Uint8Array | null
  repositoryId: number
  unreferencedSince: number | null
}

export interface CommitRequest extends NewContent {
  upload: Upload
  digest: Digest
  pusher: Pusher
}

export interface Blobs {
  /** @throws AppError blob_unknown */
  get(name: RepositoryName, digest: Digest): Promise<Blob>
  /**
   * Its bytes, or a range of them. Only clients that ask for the blob itself `mayRedirect`.
   * @throws AppError unavailable when the store lost them
   */
  open(
    blob: Blob,
    range?: ByteRange,
    options?: { mayRedirect?: boolean },
  ): Promise<BlobSource | Uint8Array>
  /** Called when somebody who may push asks for the blob: it will be referred to soon. */
  refresh(blob: Blob, digest: Digest): Promise<void>
  /**
   * Makes an upload's bytes a blob of its repository. True when the bytes were taken, false when
   * the same bytes were stored before.
   */
  commit(request: CommitRequest): Promise<boolean>
  /**
   * Makes a blob of another repository visible in `target` too. False when it cannot be done, for
   * whatever reason: no such blob, no such repository, no right to pull from it.
   */
  mount(mount: {
    target: RepositoryName
    digest: Digest
    /** undefined: any repository that the caller may pull from. */
    source: RepositoryName | undefined
    principal: Principal
    pusher: Pusher
  }): Promise<boolean>
  /** @throws AppError blob_unknown, in_use when a manifest of the repository refers to it */
  remove(name: RepositoryName, digest: Digest, also?: Also): Promise<void>
}

export function createBlobs(deps: {
  db: Db
  store: BlobStore
  clock: Clock
  repositories: Repositories
  authorizer: Authorizer
}): Blobs {
  const { db, store, clock, repositories, authorizer } = deps

  const findNow = prepare(db, (asked: { project: string; path: string; digest: Digest }) =>
    db.query
      .selectFrom('project')
      .innerJoin('repository', 'repository.project', 'project.id')
      .innerJoin('repository_blob', 'repository_blob.repository', 'repository.id')
      .innerJoin('content', 'content.id', 'repository_blob.content')
      .leftJoin('content_body', (join) =>
        join.onRef('content_body.content', '=', 'content.id').on('content.storage_key', 'is', null),
      )
      .select([
        'content.size',
        'content.id as contentId',
        'content.storage_key as storageKey',
        'content_body.bytes',
        'repository.id as repositoryId',
        'repository_blob.unreferenced_since as unreferencedSince',
      ])
      .where('project.name', '=', asked.project)
      .where('project.state', '=', LIVE)
      .where('repository.name', '=', asked.path)
      .where('repository.state', '=', LIVE)
      .where('repository_blob.digest', '=', asked.digest)
      .where('content.state', '=', LIVE),
  )

  const find = shareReads(
    ({ project, path, digest }: Parameters<typeof findNow>[0]) => `${project} ${path} ${digest}`,
    findNow,
  )

  const links = createBlobLinks({ db, clock })

  /** Commits different bytes into one repository, for one pusher. */
  function commitAll(requests: readonly CommitRequest[]): Promise<boolean[]> {
    const [first] = requests
    if (!first) return Promise.resolve([])
    return db.transaction(async (tx) => {
      const contents = await ensureContents(db, tx, requests, clock())
      const repository = await repositories.open(tx, nameOf(first.upload), first.pusher)
      const commits = requests.flatMap(({ upload, digest, bytes }, i) => {
        const content = contents[i]
        return content
          ? [{ upload, digest, content, taken: content.isNew || 'inline' in bytes }]
          : []
      })
      await endSessions(tx, commits)
      await links.link(tx, repository, commits)
      return commits.map(({ taken }) => taken)
    })
  }

  return {
    async get(name, digest) {
      const [blob] = await find({ project: name.project, path: name.path, digest })
      if (!blob) throw blobUnknown(name, digest)
      return blob
    },

    async open(blob, range, options) {
      if (blob.storageKey === null) {
        const bytes = new Uint8Array(blob.bytes ?? [])
        return range ? bytes.subarray(range.start, range.end + 1) : bytes
      }
      const source = await store.read(blob.storageKey, blob.size, range, options)
      if (source) return source
      throw new AppError('unavailable', 'the bytes of this blob cannot be read from the storage')
    },

    async refresh(blob, digest) {
      const { unreferencedSince: since } = blob
      if (since === null || since > clock() - REFRESH_AFTER_MS) return
      await db.transaction((tx) =>
        tx
          .updateTable('repository_blob')
          .set({ unreferenced_since: clock() })
          .where('repository', '=', blob.repositoryId)
          .where('digest', '=', digest)
          .where('unreferenced_since', 'is not', null)
          .execute(),
      )
    },

    commit: gatherBy(commitKey, commitAll, {
      lanes: db.engine.lanes,
      limit: COMMITS_AT_ONCE,
      apart: ({ sha256 }) => [sha256],
      isUndone,
    }),

    async mount({ target, digest, source, principal, pusher }) {
      const contentId = await findMountSource({ db, authorizer }, principal, digest, source)
      if (contentId === undefined) return false
      return db.transaction(async (tx) => {
        const content = await db.engine
          .lockRows(
            tx
              .selectFrom('content')
              .select(['id', 'size'])
              .where('id', '=', contentId)
              .where('state', '=', LIVE),
            'keyShare',
          )
          .executeTakeFirst()
        if (!content) return false
        await links.link(tx, await repositories.open(tx, target, pusher), [{ digest, content }])
        return true
      })
    },

    async remove(name, digest, also) {
      await db.transaction(async (tx) => {
        const repository = await repositories.openExisting(tx, name)
        const blob = await links.lock(tx, repository.id, digest, 'update')
        if (!blob) throw blobUnknown(name, digest)
        await demandUnreferenced(tx, repository, digest)
        await tx
          .deleteFrom('repository_blob')
          .where('repository', '=', repository.id)
          .where('digest', '=', digest)
          .execute()
        const change = noChange()
        const content = await contentOf(tx, blob.content)
        await unlinkContent(tx, repository.project.id, content, change)
        await also?.(tx)
        await charge(tx, repository.project, repository.id, change)
      })
    },
  }
}

/** What has to be the same for commits to be done together. */
function commitKey({ upload, pusher }: CommitRequest): string {
  return JSON.stringify([upload.project_name, upload.repository_name, pusher])
}

/** The sessions end in the transaction that takes their bytes; a lost one takes nothing. */
async function endSessions(
  tx: Tx,
  sessions: readonly { upload: Upload; taken: boolean }[],
): Promise<void> {
  const held = ({ upload: { id, epoch } }: { upload: Upload }) => ({ id, epoch })
  const taken = sessions.filter((session) => session.taken).map(held)
  const left = sessions.filter((session) => !session.taken).map(held)
  const ended = taken.length > 0 ? await forgetUploads(tx, taken) : []
  const discarded = left.length > 0 ? await discardUploads(tx, left) : []
  if (ended.length + discarded.length < sessions.length) throw lostUpload()
}

const forgetUploads = statements((on, held: { id: string; epoch: number }[]) =>
  on
    .deleteFrom('upload')
    .where(({ eb, or }) =>
      or(held.map(({ id, epoch }) => eb.and([eb('id', '=', id), eb('epoch', '=', epoch)]))),
    )
    .where('state', '=', 'open')
    .returning('id'),
)

const discardUploads = statements((on, held: { id: string; epoch: number }[]) =>
  on
    .updateTable('upload')
    .set((eb) => ({ state: 'discarded', epoch: eb('epoch', '+', 1) }))
    .where(({ eb, or }) =>
      or(held.map(({ id, epoch }) => eb.and([eb('id', '=', id), eb('epoch', '=', epoch)]))),
    )
    .where('state', '=', 'open')
    .returning('id'),
)

async function demandUnreferenced(
  tx: Tx,
  { id, name }: OpenRepository,
  digest: Digest,
): Promise<void> {
  const parent = await parentOf(tx, id, digest)
  if (!parent) return
  throw new AppError(
    'in_use',
    `blob ${digest} belongs to manifest ${parent.digest} of ${name.full}; delete that manifest first`,
  )
}

function nameOf(upload: Upload): RepositoryName {
  const { project_name: project, repository_name: path } = upload
  return { project, path, full: `${project}/${path}` }
}

function blobUnknown(name: RepositoryName, digest: Digest): AppError {
  return new AppError('blob_unknown', `blob ${digest} is not in repository "${name.full}"`, {
    digest,
  })
}
