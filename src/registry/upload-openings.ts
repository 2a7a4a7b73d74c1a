import type { Clock } from '../lib/clock.ts'
import { gather } from '../lib/gather.ts'
import type { Db } from '../store/db/database.ts'
import { statements } from '../store/db/prepared.ts'
import { isUndone } from '../store/db/undone.ts'
import type { Upload } from './upload-owner.ts'
import { QUICK_SINGLE } from './upload-statements.ts'

/*
 * Sessions are opened and claimed with every blob, so those of many callers share a statement.
 */

/** Sessions of one statement at most. */
const LIMIT = 16

export interface UploadStart {
  id: string
  project: string
  path: string
  account: number | null
  algorithm: string
  storageKey: string
  writer: string | null
  until: number
  now: number
}

const insertUploads = statements((on, rows: UploadStart[]) =>
  on
    .insertInto('upload')
    .values(
      rows.map((row) => ({
        id: row.id,
        project_name: row.project,
        repository_name: row.path,
        account: row.account,
        algorithm: row.algorithm,
        storage_key: row.storageKey,
        writer: row.writer,
        writer_until: row.until,
        created_at: row.now,
        updated_at: row.now,
      })),
    )
    .returningAll(),
)

export interface FreeClaim {
  id: string
  project: string
  path: string
  account: number | null
}

/** Of all claims that are made at once. */
interface ClaimLease {
  writer: string
  until: number
  now: number
}

/**
 * Sessions that nobody writes to, claimed at once. What is missing is somebody else's, or somebody
 * writes or has written to it.
 */
const claimFreeUploads = statements((on, claims: (FreeClaim & ClaimLease)[]) =>
  on
    .updateTable('upload')
    .set((eb) => ({
      epoch: eb('epoch', '+', 1),
      writer: claims[0]?.writer ?? null,
      writer_until: claims[0]?.until ?? 0,
      updated_at: claims[0]?.now ?? 0,
    }))
    .where(({ eb, or }) =>
      or(
        claims.map((claim) =>
          eb.and([
            eb('id', '=', claim.id),
            eb('project_name', '=', claim.project),
            eb('repository_name', '=', claim.path),
            eb('account', 'is not distinct from', claim.account),
          ]),
        ),
      ),
    )
    .where('writer', 'is', null)
    .where('state', '=', 'open')
    .returningAll(),
)

export interface UploadOpenings {
  open(start: UploadStart): Promise<Upload | undefined>
  /** Undefined: it is somebody else's, or somebody writes or has written to it. */
  claimFree(claim: FreeClaim): Promise<Upload | undefined>
}

export function createUploadOpenings(deps: {
  db: Db
  clock: Clock
  writer: string
  leaseMs: number
}): UploadOpenings {
  const { db, clock, writer, leaseMs } = deps
  const { lanes } = db.engine

  async function openAll(starts: UploadStart[]): Promise<(Upload | undefined)[]> {
    const rows = await db.transaction((tx) => insertUploads(tx, starts), QUICK_SINGLE)
    return inOrder(starts, rows)
  }

  async function claimAll(claims: FreeClaim[]): Promise<(Upload | undefined)[]> {
    const now = clock()
    const lease = { writer, until: now + leaseMs, now }
    const leased = claims.map((claim) => ({ ...claim, ...lease }))
    const rows = await db.transaction((tx) => claimFreeUploads(tx, leased), QUICK_SINGLE)
    return inOrder(claims, rows)
  }

  return {
    open: gather(openAll, { lanes, limit: LIMIT, isUndone }),
    claimFree: gather(claimAll, { lanes, limit: LIMIT, apart: ({ id }) => [id], isUndone }),
  }
}

function inOrder(asked: readonly { id: string }[], rows: Upload[]): (Upload | undefined)[] {
  const byId = new Map(rows.map((row) => [row.id, row]))
  return asked.map(({ id }) => byId.get(id))
}
