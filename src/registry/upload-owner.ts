import { AppError } from '../lib/errors.ts'
import type { RepositoryName } from '../oci/reference.ts'
import type { Row } from '../store/db/schema.ts'

export type Upload = Row<'upload'>

/** Who may see a session: the repository it was opened for, and the account that opened it. */
export interface UploadOwner {
  repository: RepositoryName
  account: number | null
}

export function isOwner(row: Upload, { repository, account }: UploadOwner): boolean {
  return (
    row.project_name === repository.project &&
    row.repository_name === repository.path &&
    row.account === account
  )
}

export function uploadUnknown(id: string): AppError {
  return new AppError(
    'upload_unknown',
    `upload ${id.slice(0, 64)} does not exist, has expired, or belongs to another repository or account; start a new one`,
  )
}
