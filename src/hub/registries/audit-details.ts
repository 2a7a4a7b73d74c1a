import type { AuditDetails } from '../../events/audit.ts'
import type { RegistryRecord } from './record.ts'

/** What the audit tells of a registry that was added, or of what changed in it. */
export function registryDetails(
  registry: RegistryRecord,
  previous: Partial<RegistryRecord> = {},
): AuditDetails {
  const changed = <K extends keyof RegistryRecord>(field: K) =>
    registry[field] === previous[field] ? undefined : registry[field]
  const address = changed('address')
  const name = changed('name')
  const keysChanged = registry.secretChangedAt !== (previous.secretChangedAt ?? null)
  return {
    name: previous.name === undefined ? undefined : name,
    previousName: name === undefined ? undefined : previous.name,
    provider: changed('provider'),
    address,
    previousAddress: address === undefined ? undefined : previous.address,
    namespace: changed('namespace'),
    verifyTls: changed('verifyTls'),
    privateAllowed: changed('privateAllowed'),
    allProjects: changed('allProjects'),
    isDefault: changed('isDefault'),
    secretChanged: keysChanged || undefined,
  }
}
