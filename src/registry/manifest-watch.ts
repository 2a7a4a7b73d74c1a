import type { Digest } from '../oci/digest.ts'
import type { ParsedManifest } from '../oci/manifest.ts'
import type { RepositoryName } from '../oci/reference.ts'
import type { Tx } from '../store/db/database.ts'
import type { Blobs } from './blobs.ts'
import type { OpenRepository } from './repository-openings.ts'

/** A manifest that is about to be stored. */
export interface IncomingManifest {
  name: RepositoryName
  parsed: ParsedManifest
  /** What will point at it. */
  tags: readonly string[]
}

/** The same within the transaction that stores it. */
export interface StoredTags {
  repository: OpenRepository
  manifest: { id: number; digest: Digest }
  tags: readonly string[]
  /** Some of the tags pointed at other manifests before. */
  moved: boolean
}

/**
 * For those who keep a read model of what is in the registry, such as the charts. Called before
 * the transaction, it reads what it needs to know; what it returns writes, in the transaction and
 * after the tags are set. It never fails a push.
 */
export type ManifestWatch = (incoming: IncomingManifest) => Promise<WriteTags>
export type WriteTags = (tx: Tx, stored: StoredTags) => Promise<void>

/** Made by the registry that it watches. */
export type CreateManifestWatch = (registry: { blobs: Blobs }) => ManifestWatch

/** Keeps nothing. */
export const watchNothing: ManifestWatch = async () => async () => {}
