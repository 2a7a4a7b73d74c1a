/**
 * Tags that tools make in order to attach something to a manifest: cosign's signatures,
 * attestations and SBOMs, and the fallback of registries without a referrers API (distribution-spec,
 * "Referrers Tag Schema").
 */
export function isAccessoryTag(tag: string): boolean {
  return /^sha(256|512)-[0-9a-f]{64}(\.(sig|att|sbom))?$/.test(tag)
}

/** The tag of cosign's signatures for a manifest. */
export function signatureTag(digest: string): string {
  return `${digest.replace(':', '-')}.sig`
}
