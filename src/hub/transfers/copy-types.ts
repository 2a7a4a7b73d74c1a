import type { Says } from '../../lib/reasons.ts'
import type { Digest } from '../../oci/digest.ts'
import type { Reference } from '../../oci/reference.ts'
import type { Registry } from '../../oci/registry.ts'
import type { Platform } from './platforms.ts'

/** One end of a copy. The repository is named as its registry names it. */
export interface CopySide {
  registry: Registry
  repository: string
  /** `harbor.example.com/team/app`: for the sentences of errors. */
  label: string
}

export interface CopyRequest {
  source: CopySide & { reference: Reference }
  /** Without a tag: by digest alone. */
  target: CopySide & { tag?: string | undefined }
  /** Only these children of an index; absent: all of it. An image that is no index is copied whole. */
  platforms?: readonly Platform[] | undefined
  /**
   * With `platforms`: `keep` leaves the index byte for byte, so that signatures hold and children
   * are missing; `rewrite` writes a new one of the chosen children, with another digest.
   */
  index?: 'keep' | 'rewrite' | undefined
  /** Also what refers to what is copied: signatures, attestations, SBOMs. */
  referrers: boolean
  /** False: a tag that is there with another digest stays, and that is an error. */
  overwrite?: boolean | undefined
  /**
   * Where blobs may be mounted from at the target; an `undefined` in it: wherever the target finds
   * them itself.
   */
  mountFrom?: readonly (string | undefined)[] | undefined
  signal?: AbortSignal | undefined
  checkpoint?: CopyCheckpoint | undefined
  observer?: CopyObserver | undefined
}

export type BlobState = 'waiting' | 'running' | 'sent' | 'skipped' | 'mounted'

/** Told how a copy goes; nothing that it does is waited for. */
export interface CopyObserver {
  /** What the tag stood for when it was resolved, which is what will be copied. */
  resolved?(digest: Digest): void
  /** Once, when it is known what there is to do. */
  planned?(plan: { manifests: number; blobs: readonly { digest: Digest; size: number }[] }): void
  /** `bytes`: how many of the blob the target has by now. */
  blob?(digest: Digest, state: BlobState, bytes: number): void
  /** What was left out, and why; for people. */
  note?(sentence: string, says: Says): void
}

/** What a copy that was cut off left to the next one. */
export interface CopyCheckpoint {
  /** The blob was at the target already, so nobody has to ask again. */
  isDone(digest: Digest): boolean
  done(digest: Digest): void
  /** The open upload of the blob. */
  sessionOf(digest: Digest): string | undefined
  /** Resolves when it survives the end of the process. */
  saveSession(digest: Digest, session: string): Promise<void>
}

export interface CopyResult {
  /** Of what the target's tag now points at. */
  digest: Digest
  manifests: number
  blobs: number
}
