import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../lib/config.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import { openBlobStore } from '../store/blobs/open.ts'
import type { Db } from '../store/db/database.ts'
import { noInstallation, openExisting } from '../store/db/existing.ts'
import { CHECKS } from './verify-checks.ts'

export interface VerifyReport {
  /** What was looked at, by name of the check. */
  checked: Record<string, number>
  /** One sentence each; empty: nothing is wrong. */
  problems: string[]
}

export interface VerifyOptions {
  /** Also reads every blob and compares its digest. */
  deep: boolean
  /** Images may lack blobs: the setting `manifests.sparse`. */
  sparse: boolean
}

/**
 * Looks for broken promises in an installation: content whose bytes are missing, manifests without
 * their blobs, sums that are wrong. Works beside a running server, which keeps changing things; so
 * whatever looks wrong is looked at again before it is reported.
 * @throws AppError invalid_input when there is no installation in the data folder
 */
export async function verifyInstallation(
  config: Config,
  { deep }: Pick<VerifyOptions, 'deep'>,
): Promise<VerifyReport> {
  const options = { deep, sparse: config.manifests.sparse }
  // Opening would make an empty one, in which nothing can be wrong.
  if (config.storage.driver === 'file' && !existsSync(join(config.data, 'blobs'))) {
    throw noInstallation(config.data)
  }
  const db = await openExisting(config)
  try {
    return await verify({ db, store: await openBlobStore(config) }, options)
  } finally {
    await db.close()
  }
}

/** As `verifyInstallation`, on what is open already. */
export async function verify(
  deps: { db: Db; store: BlobStore },
  options: VerifyOptions,
): Promise<VerifyReport> {
  const report: VerifyReport = { checked: {}, problems: [] }
  for (const { name, run } of CHECKS) {
    const first = await run(deps, options)
    report.checked[name] = first.checked
    if (first.problems.length === 0) continue
    const again = new Set((await run(deps, options)).problems)
    report.problems.push(...first.problems.filter((problem) => again.has(problem)))
  }
  return report
}
