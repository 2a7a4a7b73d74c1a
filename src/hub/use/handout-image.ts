import { AppError, type ErrorDetails } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type { HandoutRequest } from './handout-types.ts'
import { distributedImage, imageIn, readImage, type WrittenImage } from './image-name.ts'
import { checkRule, NAMING_CASES, nameBuild } from './naming-rules.ts'
import type { RegistryPlace } from './registry-host.ts'

/**
 * The whole name of the image that a call is about, in this registry; null when it names none. A
 * build makes up a tag, a distribution keeps the one of its source, everything else needs one.
 * @throws AppError invalid_input
 */
export function handoutImage(
  place: RegistryPlace,
  request: HandoutRequest,
  now: number,
): string | null {
  const { purpose, image, build, rules = {} } = request
  if (purpose !== 'build' && (build || request.rules)) {
    throw wrong(
      'build',
      '"build" and "rules" are for the purpose "build"; images have a tag already',
    )
  }
  // All of them, so that a wrong one does not wait for the first build of its kind.
  for (const name of NAMING_CASES) {
    const rule = rules[name]
    if (rule !== undefined) checkRule(rule, `rules.${name}`)
  }
  if (image === undefined) return null
  return imageIn(place, writtenFor(request, image, now))
}

function writtenFor(request: HandoutRequest, image: string, now: number): WrittenImage {
  const { purpose, project, environment, build, rules } = request
  if (purpose === 'distribute') return distributedImage(image)
  const written = readImage(image)
  if (purpose !== 'build') {
    if (written.tag !== undefined || written.digest !== undefined) return written
    throw wrong(
      'image',
      `say which "${image}" it should be: ${image}:tag or ${image}@sha256:…`,
      because('image_needs_tag', { name: image }),
    )
  }
  if (written.digest !== undefined) {
    throw wrong(
      'image',
      'an image that is yet to be built has no digest',
      because('image_name_invalid', { name: image }),
    )
  }
  if (written.tag !== undefined) return written
  const facts = { ...build, image: written.name, project: project.name, environment, at: now }
  return nameBuild(facts, rules)
}

function wrong(field: string, message: string, reason: ErrorDetails = {}): AppError {
  return new AppError('invalid_input', message, { field, ...reason })
}
