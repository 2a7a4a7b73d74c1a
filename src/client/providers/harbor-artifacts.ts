import { z } from 'zod'
import { parseDigest } from '../../oci/digest.ts'
import { isTag } from '../../oci/reference.ts'
import type { ListedChild, ListedFacts, ListedTag } from '../inventory.ts'

/** Of one repository; an index is looked up with what was seen of its images before it. */
const MOST_REMEMBERED = 50_000
const CREATED = 'org.opencontainers.image.created'

const Platform = z.object({
  os: z.string().nullish(),
  architecture: z.string().nullish(),
  variant: z.string().nullish(),
})
const Annotations = z.record(z.string(), z.string()).nullish()
const Artifact = z.object({
  digest: z.string(),
  manifest_media_type: z.string().nullish(),
  size: z.number().nullish(),
  push_time: z.string().nullish(),
  extra_attrs: z
    .object({ os: z.unknown(), architecture: z.unknown(), created: z.unknown() })
    .partial()
    .nullish(),
  annotations: Annotations,
  references: z
    .array(
      z.object({
        child_digest: z.string(),
        platform: Platform.nullish(),
        annotations: Annotations,
      }),
    )
    .nullish(),
  tags: z.array(z.object({ name: z.string(), push_time: z.string().nullish() })).nullish(),
})
export type Artifact = z.infer<typeof Artifact>

/** Of `GET /projects/{project}/repositories/{repository}/artifacts` of API v2.0. */
export const Artifacts = z.array(Artifact).nullable()

/** Turns artifacts, images before the indexes that name them, into what their tags stand for. */
export function createArtifactReader() {
  const seen = new Map<string, ListedFacts | undefined>()

  function factsOf(artifact: Artifact): ListedFacts | undefined {
    const { manifest_media_type: mediaType, size, references } = artifact
    if (!mediaType || size === undefined || size === null) return undefined
    const createdAt = timeOf(artifact.annotations?.[CREATED])
    if (references && references.length > 0) return ofIndex(artifact, mediaType, createdAt)
    const { os, architecture, created } = artifact.extra_attrs ?? {}
    // It does not keep the variant, without which these are not one platform.
    if (architecture === 'arm') return undefined
    const isNamed = typeof os === 'string' && typeof architecture === 'string'
    const platform = isNamed && os && architecture ? `${os}/${architecture}` : undefined
    return {
      mediaType,
      size,
      platforms: platform ? [platform] : [],
      children: [],
      createdAt: createdAt ?? timeOf(created),
    }
  }

  /** undefined: an image of it was not told. */
  function ofIndex(
    { references }: Artifact,
    mediaType: string,
    createdAt: number | undefined,
  ): ListedFacts | undefined {
    const children: ListedChild[] = []
    let youngest = createdAt
    for (const { child_digest: digest, platform, annotations } of references ?? []) {
      const { os = '', architecture = '', variant } = platform ?? {}
      if (annotations?.['vnd.docker.reference.type'] || os === 'unknown') continue
      const facts = seen.get(digest)
      if (!facts) return undefined
      const named = os && architecture ? [os, architecture, variant].filter(Boolean).join('/') : ''
      children.push({ digest, platform: named || (facts.platforms[0] ?? ''), size: facts.size })
      if (createdAt === undefined && facts.createdAt !== undefined) {
        youngest = Math.max(youngest ?? 0, facts.createdAt)
      }
    }
    return {
      mediaType,
      size: children.reduce((sum, child) => sum + child.size, 0),
      platforms: [...new Set(children.map(({ platform }) => platform).filter(Boolean))],
      children,
      createdAt: youngest,
    }
  }

  return {
    tagsOf(artifact: Artifact): ListedTag[] {
      const facts = factsOf(artifact)
      seen.set(artifact.digest, facts)
      const [oldest] = seen.keys()
      if (seen.size > MOST_REMEMBERED && oldest !== undefined) seen.delete(oldest)
      const digest = parseDigest(artifact.digest)
      if (!digest) return []
      return (artifact.tags ?? [])
        .filter(({ name }) => isTag(name))
        .map(({ name, push_time: time }) => ({
          tag: name,
          digest,
          pushedAt: timeOf(time) ?? timeOf(artifact.push_time),
          facts,
        }))
    },
  }
}

/** Harbor says the year 1 where it does not know. */
function timeOf(text: unknown): number | undefined {
  const time = typeof text === 'string' ? Date.parse(text) : Number.NaN
  return time > 0 ? time : undefined
}
