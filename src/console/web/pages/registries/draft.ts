import type { Provider, Registry } from '../../api/hub.ts'
import { PROVIDER_FORMS } from './providers.ts'

export interface Values {
  name: string
  provider: Provider
  address: string
  region?: string
  namespace?: string
  accessKey?: string
  /** Empty while editing: the stored one stays. */
  secretKey?: string
  verifyTls: boolean
  caCertificate?: string
  scope: 'all' | 'chosen'
  projects?: string[]
  isDefault?: boolean
  notes?: string
}

export function valuesOf(registry: Registry | undefined): Partial<Values> {
  if (!registry) return { provider: 'harbor', verifyTls: true, scope: 'all', isDefault: false }
  const { name, provider, address, region, namespace, verifyTls, notes, projects } = registry
  return {
    name,
    provider,
    address,
    region,
    namespace,
    accessKey: registry.accessKey ?? '',
    verifyTls,
    caCertificate: registry.caCertificate ?? '',
    scope: projects === null ? 'all' : 'chosen',
    projects: projects ?? [],
    notes,
  }
}

/** What a test needs; what the provider's form does not ask for is empty, not what stood there. */
export function connectionOf(values: Values) {
  const { provider, address, accessKey = '', verifyTls } = values
  const form = PROVIDER_FORMS[provider]
  return {
    provider,
    address: address.trim(),
    region: form.region ? (values.region ?? '').trim() : '',
    namespace: form.namespace ? (values.namespace ?? '').trim() : '',
    accessKey,
    ...(values.secretKey ? { secretKey: values.secretKey } : {}),
    verifyTls,
    caCertificate: values.caCertificate?.trim() ? values.caCertificate : null,
  }
}

export function bodyOf(values: Values, isNew: boolean) {
  const { name, scope, projects = [], isDefault = false, notes = '' } = values
  return {
    ...connectionOf(values),
    name: name.trim(),
    projects: scope === 'all' ? null : projects,
    notes,
    ...(isNew && isDefault ? { isDefault } : {}),
  }
}

/** Whether saving would change whom clients have to trust. */
export function changesTls(values: Values, registry: Registry | undefined): boolean {
  const { verifyTls, caCertificate } = connectionOf(values)
  const before = registry ?? { verifyTls: true, caCertificate: null }
  return (
    verifyTls !== before.verifyTls ||
    (caCertificate ?? '').trim() !== (before.caCertificate ?? '').trim()
  )
}
