import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { newUuid } from '../lib/ids.ts'
import type { Db } from '../store/db/database.ts'
import {
  type ClaimedUpload,
  createUploadClaims,
  lostUpload,
  WRITER_LEASE_MS,
} from './upload-claims.ts'
import { createUploadOpenings } from './upload-openings.ts'
import { isOwner, type Upload, type UploadOwner, uploadUnknown } from './upload-owner.ts'
import { QUICK, QUICK_SINGLE, uploadById } from './upload-statements.ts'

/*
 * The rows of upload sessions and the right to write to one. Whoever claims a session raises its
 * epoch; every later change names that epoch, so a writer that stalled and comes back after
 * somebody took over changes nothing.
 */

export interface UploadSessions {
  /** `claimed`: this process writes to it at once. */
  create(upload: {
    id: string
    owner: UploadOwner
    algorithm: string
    storageKey: string
    claimed: boolean
  }): Promise<Upload>
  /** @throws AppError upload_unknown, also for sessions of others */
  get(id: string, owner: UploadOwner): Promise<Upload>
  /**
   * Waits for a running writer, takes over from one that is gone.
   * @throws AppError upload_unknown, rate_limited
   */
  claim(id: string, owner: UploadOwner): Promise<ClaimedUpload>
  /** False: somebody else has the session now. */
  renew(upload: Upload): Promise<boolean>
  /** Writes what is safe and goes on. @throws AppError upload_invalid when the session was lost */
  save(upload: Upload, safe: SafePart): Promise<void>
  /** Writes what is safe and lets go. @throws AppError upload_invalid when the session was lost */
  release(upload: Upload, safe: SafePart): Promise<void>
  /** A row for bytes that belong to no session yet, so that a crash leaves nothing unknown. */
  reserve(storageKey: string): Promise<string>
  /** Moves a session to the reserved key; the reservation takes the old one, for the sweeper. */
  move(
    upload: Upload,
    reservation: string,
    to: Pick<Upload, 'storage_key' | 'storage_state'>,
  ): Promise<void>
  /** True while this claim is the last one and has released nothing. Only reads. */
  holds(upload: Upload): Promise<boolean>
  /**
   * Lets go of a claim without a change. `sharesKey`: a former writer may still write under the
   * session's key, so that the next claim has to leave it too.
   */
  abandon(upload: Upload, sharesKey?: boolean): Promise<void>
  /**
   * Ends a session that this process claimed; the sweeper finds its bytes. False: it is somebody
   * else's now, and so are its bytes.
   */
  discard(upload: Upload): Promise<boolean>
  /** Ends a session whoever writes to it. @throws AppError upload_unknown */
  cancel(id: string, owner: UploadOwner): Promise<Upload>
  /** As `discard`, for a session as it was seen without a writer; false: it was used since. */
  expire(upload: Upload): Promise<boolean>
  /** After the bytes are gone or belong to a content. */
  forget(id: string): Promise<void>
}

/** The part of a session that survives the process. */
export type SafePart = Pick<
  Upload,
  | 'offset'
  | 'prefix_digest'
  | 'prefix_sha256'
  | 'storage_key'
  | 'storage_state'
  | 'hash_state'
  | 'buffer'
>

export function createUploadSessions(deps: {
  db: Db
  clock: Clock
  /** Names this process in the rows. */
  writer: string
}): UploadSessions {
  const { db, clock, writer } = deps

  const openings = createUploadOpenings({ db, clock, writer, leaseMs: WRITER_LEASE_MS })

  function change(upload: Upload, values: Partial<Upload>): Promise<boolean> {
    return db.transaction(async (tx) => {
      const result = await tx
        .updateTable('upload')
        .set(values)
        .where('id', '=', upload.id)
        .where('epoch', '=', upload.epoch)
        .where('state', '=', 'open')
        .executeTakeFirstOrThrow()
      return result.numUpdatedRows > 0n
    }, QUICK_SINGLE)
  }

  return {
    async create({ id, owner, algorithm, storageKey, claimed }) {
      const now = clock()
      const row = await openings.open({
        id,
        project: owner.repository.project,
        path: owner.repository.path,
        account: owner.account,
        algorithm,
        storageKey,
        writer: claimed ? writer : null,
        until: claimed ? now + WRITER_LEASE_MS : 0,
        now,
      })
      if (!row) throw new AppError('internal', 'an upload was not stored')
      return row
    },

    claim: createUploadClaims({ db, clock, openings, writer }),

    async get(id, owner) {
      const [row] = await uploadById(db.query, { id })
      if (!row || !isOwner(row, owner)) throw uploadUnknown(id)
      return row
    },

    renew: (upload) => change(upload, { writer_until: clock() + WRITER_LEASE_MS }),

    async save(upload, safe) {
      const held = await change(upload, { ...safe, updated_at: clock() })
      if (!held) throw lostUpload()
      Object.assign(upload, safe)
    },

    async release(upload, safe) {
      const held = await change(upload, {
        ...safe,
        writer: null,
        writer_until: 0,
        updated_at: clock(),
      })
      if (!held) throw lostUpload()
    },

    async reserve(storageKey) {
      const id = newUuid()
      const now = clock()
      await db.transaction(
        (tx) =>
          tx
            .insertInto('upload')
            .values({
              id,
              project_name: '',
              repository_name: '',
              account: null,
              state: 'discarded',
              storage_key: storageKey,
              created_at: now,
              updated_at: now,
            })
            .execute(),
        QUICK,
      )
      return id
    },

    async move(upload, reservation, to) {
      const oldKey = upload.storage_key
      const moved = await db.transaction(async (tx) => {
        const result = await tx
          .updateTable('upload')
          .set(to)
          .where('id', '=', upload.id)
          .where('epoch', '=', upload.epoch)
          .where('state', '=', 'open')
          .executeTakeFirstOrThrow()
        if (result.numUpdatedRows === 0n) return false
        await tx
          .updateTable('upload')
          .set({ storage_key: oldKey })
          .where('id', '=', reservation)
          .execute()
        return true
      }, QUICK)
      if (!moved) throw lostUpload()
      Object.assign(upload, to)
    },

    async holds(upload) {
      const row = await db.query
        .selectFrom('upload')
        .select(['epoch', 'writer', 'offset'])
        .where('id', '=', upload.id)
        .where('state', '=', 'open')
        .executeTakeFirst()
      return row?.epoch === upload.epoch && row.writer !== null && row.offset === upload.offset
    },

    async abandon(upload, sharesKey = false) {
      await change(upload, { writer: sharesKey ? writer : null, writer_until: 0 })
    },

    discard: (upload) =>
      change(upload, { state: 'discarded', epoch: upload.epoch + 1, updated_at: clock() }),

    async cancel(id, { repository, account }) {
      const row = await db.transaction(
        (tx) =>
          tx
            .updateTable('upload')
            .set((eb) => ({ state: 'discarded', epoch: eb('epoch', '+', 1), updated_at: clock() }))
            .where('id', '=', id)
            .where('state', '=', 'open')
            .where('project_name', '=', repository.project)
            .where('repository_name', '=', repository.path)
            .where('account', account === null ? 'is' : '=', account)
            .returningAll()
            .executeTakeFirst(),
        QUICK,
      )
      if (!row) throw uploadUnknown(id)
      return row
    },

    expire: ({ id, epoch, writer_until: until }) =>
      db.transaction(async (tx) => {
        const result = await tx
          .updateTable('upload')
          .set({ state: 'discarded', epoch: epoch + 1, updated_at: clock() })
          .where('id', '=', id)
          .where('epoch', '=', epoch)
          .where('writer_until', '=', until)
          .executeTakeFirstOrThrow()
        return result.numUpdatedRows > 0n
      }, QUICK),

    async forget(id) {
      await db.transaction((tx) => tx.deleteFrom('upload').where('id', '=', id).execute(), QUICK)
    },
  }
}
