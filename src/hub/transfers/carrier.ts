import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import { type RegistryRecord, SELF } from '../registries/record.ts'
import { LOCAL } from '../runners/identity.ts'

/** A copy that only a runner can do. */
export interface Carried {
  /** Whose runner does it. */
  registry: RegistryRecord
  /** The other end; undefined: ourselves. */
  other: RegistryRecord | undefined
}

/**
 * Whether a runner has to copy between these two, each undefined where it is ourselves. It copies
 * straight to and from what is its own too, and what needs no password: others' passwords are not
 * for it.
 * @returns undefined: this server does it
 * @throws AppError denied when nobody reaches both
 */
export function carrierOf(
  source: RegistryRecord | undefined,
  target: RegistryRecord | undefined,
): Carried | undefined {
  const [registry, other] = isFar(source) ? [source, target] : [target, source]
  if (!isFar(registry)) return undefined
  const runner = registry.connectClusterId
  if (!other || other.connectClusterId === runner || needsNoPassword(other)) {
    return { registry, other }
  }
  throw new AppError(
    'denied',
    `only the runner "${runner}" can speak to the registry "${registry.name}", and it copies straight to and from registries that have the same runner or need no password, and "${other.name}" is neither; copy to "${SELF}" first, and from there`,
    because('transfer_only_by_runner', { name: runner, registry: registry.name }),
  )
}

/** Only a runner speaks to it. */
function isFar(registry: RegistryRecord | undefined): registry is RegistryRecord {
  return registry !== undefined && registry.connectClusterId !== LOCAL
}

function needsNoPassword({ connectClusterId, hasSecret, accessKey }: RegistryRecord): boolean {
  return connectClusterId === LOCAL && !hasSecret && accessKey === ''
}
