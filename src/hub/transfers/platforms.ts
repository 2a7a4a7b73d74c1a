import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type { JsonObject } from '../../oci/json.ts'
import { isJsonObject } from '../../oci/json.ts'
import type { Descriptor } from '../../oci/manifest.ts'

/* Platforms of an index (image-spec, image-index.md), and which of its children they choose. */

export interface Platform {
  os: string
  architecture: string
  /** Absent: any. */
  variant?: string
}

const PART = /^[a-z0-9][a-z0-9._-]{0,63}$/

/** `linux/arm64`, `linux/arm/v7`. @throws AppError invalid_input */
export function parsePlatform(text: string): Platform {
  const [os = '', architecture = '', variant, ...more] = text.split('/')
  const parts = variant === undefined ? [os, architecture] : [os, architecture, variant]
  if (more.length > 0 || !parts.every((part) => PART.test(part))) {
    throw new AppError(
      'invalid_input',
      `"${text.slice(0, 80)}" is not a platform; write linux/amd64 or linux/arm/v7`,
      { field: 'platforms', ...because('platform_invalid', { name: text.slice(0, 80) }) },
    )
  }
  return { os, architecture, ...(variant === undefined ? {} : { variant }) }
}

function formatPlatform({ os, architecture, variant }: Platform): string {
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`
}

/** What the descriptor says it runs on; undefined: nothing. */
function platformOf({ raw }: Descriptor): Platform | undefined {
  const { platform } = raw
  if (!isJsonObject(platform)) return undefined
  const { os, architecture, variant } = platform
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined
  return { os, architecture, ...(typeof variant === 'string' && variant ? { variant } : {}) }
}

/**
 * The children that are for one of the platforms, with the attestations that BuildKit puts beside
 * them: manifests of the platform unknown/unknown that name in an annotation what they are about.
 * @throws AppError not_found when a platform has no child
 */
export function chooseChildren(
  children: readonly Descriptor[],
  platforms: readonly Platform[],
): Descriptor[] {
  const chosen = new Set<Descriptor>()
  for (const platform of platforms) {
    const fitting = children.filter((child) => fits(platformOf(child), platform))
    if (fitting.length === 0) throw platformMissing(platform, children)
    for (const child of fitting) chosen.add(child)
  }
  const digests = new Set([...chosen].map(({ digest }) => digest))
  return children.filter((child) => {
    const about = child.annotations?.['vnd.docker.reference.digest']
    return chosen.has(child) || (about !== undefined && digests.has(about))
  })
}

/** The index with only these children; all else stays as it was. */
export function rewriteIndex(bytes: Uint8Array, kept: readonly Descriptor[]): Uint8Array {
  const index = JSON.parse(new TextDecoder().decode(bytes)) as JsonObject
  const rewritten = { ...index, manifests: kept.map(({ raw }) => raw) }
  return new TextEncoder().encode(JSON.stringify(rewritten))
}

function fits(platform: Platform | undefined, wanted: Platform): boolean {
  return (
    platform !== undefined &&
    platform.os === wanted.os &&
    platform.architecture === wanted.architecture &&
    (wanted.variant === undefined || sameVariant(platform, wanted))
  )
}

/** arm64 is v8 whether or not it says so (containerd, platforms: normalizeArch). */
function sameVariant(platform: Platform, wanted: Platform): boolean {
  const usual = platform.architecture === 'arm64' ? 'v8' : undefined
  return (platform.variant ?? usual) === (wanted.variant ?? usual)
}

function platformMissing(platform: Platform, children: readonly Descriptor[]): AppError {
  const known = new Set(
    children
      .map(platformOf)
      .filter((found) => found !== undefined && found.os !== 'unknown')
      .map((found) => (found ? formatPlatform(found) : '')),
  )
  const list = [...known].slice(0, 30).join(', ') || 'none'
  return new AppError(
    'not_found',
    `the image has nothing for ${formatPlatform(platform)}; it has ${list}`,
    {
      field: 'platforms',
      ...because('platform_missing', { name: formatPlatform(platform), known: list }),
    },
  )
}
