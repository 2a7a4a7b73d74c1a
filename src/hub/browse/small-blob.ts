import type { BlobContent, Registry, RegistryCall } from '../../oci/registry.ts'

/** A whole blob in memory; the caller has looked at its size. */
export async function readSmallBlob(
  registry: Registry,
  repository: string,
  blob: BlobContent,
  call: RegistryCall,
): Promise<Uint8Array> {
  const stream = await registry.readBlob(repository, blob, call)
  return new Uint8Array(await new Response(stream).arrayBuffer())
}
