import type { Digest } from './digest.ts'
import type { Descriptor } from './manifest.ts'
import type { Reference } from './reference.ts'

/*
 * A registry, ours or anybody's: what copying, mirroring and inspecting need of one. Implemented by
 * `client/` for remote ones and over our own, so that each of these is one piece of code with two
 * arguments. Repositories are named in full, as the registry itself names them.
 */

export interface ManifestContent {
  digest: Digest
  mediaType: string
  /** Exactly as they came; their digest is `digest`. */
  bytes: Uint8Array
}

export interface BlobContent {
  digest: Digest
  /** Bytes of the whole blob. */
  size: number
}

/** Bytes of a blob from `offset` on; may be asked again, for other offsets, after an error. */
export type OpenBlob = (offset: number, signal?: AbortSignal) => Promise<ReadableStream<Uint8Array>>

export interface RegistryCall {
  signal?: AbortSignal | undefined
}

export interface TransferCall extends RegistryCall {
  /** Told how many bytes of the blob have arrived so far. */
  onProgress?: ((bytes: number) => void) | undefined
  /**
   * What `onSession` was told in a call that was cut off, maybe in another process: the upload goes
   * on where it stands. One that is gone, or of no use, is replaced by a new one without an error.
   */
  session?: string | undefined
  /**
   * Told by what name the upload can be gone on with (for remote registries its Location), each
   * time that changes; awaited before bytes are sent under it. An upload that was told of stays
   * open when the call fails. It may hold a capability, so it is no more public than a credential.
   */
  onSession?: ((session: string) => void | Promise<void>) | undefined
}

/**
 * Absence is `undefined` or `false`; everything else that goes wrong is an `AppError` whose message
 * names the registry and what it said.
 */
export interface Registry {
  /** What the reference points at, by the cheapest way there is. */
  resolveManifest(
    repository: string,
    reference: Reference,
    call?: RegistryCall,
  ): Promise<{ digest: Digest; mediaType: string; size: number } | undefined>
  /** Verified: by digest the bytes have it, by tag the digest is computed from the bytes. */
  readManifest(
    repository: string,
    reference: Reference,
    call?: RegistryCall,
  ): Promise<ManifestContent | undefined>
  /**
   * Stores the bytes as they are, under their digest and, where given, a tag. A subject's fallback
   * tag is kept up where the registry has no referrers API (distribution-spec, "Pushing Manifests
   * with Subject").
   */
  writeManifest(
    repository: string,
    manifest: ManifestContent,
    options?: RegistryCall & { tag?: string | undefined },
  ): Promise<void>
  hasBlob(repository: string, digest: Digest, call?: RegistryCall): Promise<boolean>
  /** Verified while it streams: a wrong digest or size is an error of the stream. */
  readBlob(
    repository: string,
    blob: BlobContent,
    options?: RegistryCall & { offset?: number | undefined },
  ): Promise<ReadableStream<Uint8Array>>
  /**
   * Makes the blob of another repository of this registry appear here; false: it has to be sent.
   * `from` undefined: wherever the registry finds it (distribution-spec, "Mounting a blob from
   * another repository").
   */
  mountBlob(
    repository: string,
    digest: Digest,
    from: string | undefined,
    call?: RegistryCall,
  ): Promise<boolean>
  writeBlob(
    repository: string,
    blob: BlobContent,
    open: OpenBlob,
    call?: TransferCall,
  ): Promise<void>
  /** Pages of tags, each once, in the registry's own order. Nothing when there is no repository. */
  listTags(repository: string, call?: RegistryCall): AsyncIterable<string[]>
  /** Pages of repositories that the credential can see; within `namespace` where one is given. */
  listRepositories(
    options?: RegistryCall & { namespace?: string | undefined },
  ): AsyncIterable<string[]>
  /** Everything whose subject is `digest`, by the API or the fallback tag. */
  listReferrers(
    repository: string,
    digest: Digest,
    options?: RegistryCall & { artifactType?: string | undefined },
  ): Promise<Descriptor[]>
  deleteTag(repository: string, tag: string, call?: RegistryCall): Promise<boolean>
  deleteManifest(repository: string, digest: Digest, call?: RegistryCall): Promise<boolean>
}
