import { Cron } from 'croner'
import { PROVIDER_NAMES, type ProviderName } from '../../client/provider.ts'
import { AppError, type ErrorDetails } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import { isRepositoryPath } from '../../oci/reference.ts'
import { parseAddress, regionOfSwr } from './address.ts'
import { parseCertificates } from './certificate.ts'
import { type RegistryRecord, SELF } from './record.ts'

/** What somebody sets about a registry; everything but the address and the provider has a default. */
export interface RegistrySettings {
  /** Absent: made of host and namespace. */
  name?: string | undefined
  provider: ProviderName
  address: string
  region?: string | undefined
  namespace?: string | undefined
  accessKey?: string | undefined
  /** Empty: none. Encrypted to the runner where the registry has one. */
  secret?: string | undefined
  verifyTls?: boolean | undefined
  /** PEM; null or blank: the roots of the system. */
  caCertificate?: string | null | undefined
  /** Ids; `all` includes those that are made later. */
  projects?: 'all' | readonly number[] | undefined
  notes?: string | undefined
  /** True: promoted, and the present default is none any more. */
  isDefault?: boolean | undefined
  enterpriseProjectId?: string | undefined
  connectClusterId?: string | undefined
  scanImageChannel?: 'Swr' | 'Other' | undefined
  scanNamespace?: string | undefined
  apiVersion?: 'V1' | 'V2' | undefined
  /** When its images are read, besides daily: five fields; null or blank: not besides. */
  syncCron?: string | null | undefined
  /** In which `syncCron` is meant, as the IANA names it; `UTC` unless set. */
  syncTimeZone?: string | undefined
}

/** The columns that hold settings, but for the secret and the projects. */
export interface CheckedSettings {
  provider: ProviderName
  address: string
  region: string
  namespace: string
  access_key: string
  verify_tls: 0 | 1
  ca_certificate: string | null
  notes: string
  enterprise_project_id: string
  connect_cluster_id: string
  scan_image_channel: 'Swr' | 'Other'
  scan_namespace: string
  api_version: 'V1' | 'V2'
  sync_cron: string | null
  sync_time_zone: string
}

const CONTROL = /\p{Cc}/u
/** A key in a file may be many lines. */
const CONTROL_BUT_LINES = /[^\P{Cc}\t\n\r]/u

/**
 * What a registry will be: what was sent, else what it was, else the default.
 * @throws AppError invalid_input naming the field
 */
export function checkSettings(
  sent: Partial<RegistrySettings>,
  previous?: RegistryRecord,
): CheckedSettings {
  const provider = sent.provider ?? previous?.provider
  if (!provider || !PROVIDER_NAMES.includes(provider)) {
    throw invalid('provider', `the provider must be one of ${PROVIDER_NAMES.join(', ')}`)
  }
  const address = sent.address === undefined ? previous?.address : parseAddress(sent.address)
  if (address === undefined) {
    throw invalid('address', 'the address is missing', because('field_required', {}))
  }
  const moved = previous !== undefined && address !== previous.address
  const asked = sent.region ?? (moved && provider === 'swr' ? '' : previous?.region)
  return {
    provider,
    address,
    region: regionFor(provider, address, (asked ?? '').trim()),
    namespace: namespaceOf((sent.namespace ?? previous?.namespace ?? '').trim()),
    access_key: accessKeyOf(sent.accessKey ?? previous?.accessKey ?? ''),
    verify_tls: (sent.verifyTls ?? previous?.verifyTls ?? true) ? 1 : 0,
    ca_certificate:
      sent.caCertificate === undefined
        ? (previous?.caCertificate ?? null)
        : (parseCertificates(sent.caCertificate ?? '') ?? null),
    notes: textOf('notes', sent.notes ?? previous?.notes ?? '', 4_096, CONTROL_BUT_LINES),
    enterprise_project_id: textOf(
      'enterpriseProjectId',
      sent.enterpriseProjectId ?? previous?.enterpriseProjectId ?? '0',
      256,
    ),
    connect_cluster_id: textOf(
      'connectClusterId',
      sent.connectClusterId ?? previous?.connectClusterId ?? 'local',
      64,
    ),
    scan_image_channel: sent.scanImageChannel ?? previous?.scanImageChannel ?? 'Swr',
    scan_namespace: textOf(
      'scanNamespace',
      sent.scanNamespace ?? previous?.scanNamespace ?? '',
      128,
    ),
    api_version: sent.apiVersion ?? previous?.apiVersion ?? 'V2',
    sync_cron:
      sent.syncCron === undefined ? (previous?.syncCron ?? null) : cronOf(sent.syncCron ?? ''),
    sync_time_zone: timeZoneOf(sent.syncTimeZone ?? previous?.syncTimeZone ?? 'UTC'),
  }
}

/** @throws AppError invalid_input */
export function checkName(raw: string): string {
  const name = textOf('name', raw.trim(), 128)
  if (name === '') {
    throw invalid('name', 'the name must have 1 to 128 characters', because('field_required', {}))
  }
  if (name.toLowerCase() === SELF) {
    throw invalid(
      'name',
      `the name "${SELF}" stands for this Entrepot itself; choose another one`,
      because('registry_name_reserved', { name: SELF }),
    )
  }
  return name
}

/** @throws AppError invalid_input, without a word of the secret */
export function checkSecret(secret: string): void {
  if (secret.length > 16_384 || CONTROL_BUT_LINES.test(secret) || !secret.isWellFormed()) {
    throw invalid(
      'secret',
      'the secret key must have at most 16384 characters and no control characters',
      because('field_long', { most: 16_384 }),
    )
  }
}

/**
 * A stored secret never goes to a new address: whoever moves a registry, or changes who is believed
 * to be it, shows that he has the secret.
 * @throws AppError invalid_input
 */
export function demandSecretAgain(previous: RegistryRecord, next: CheckedSettings): void {
  if (!previous.hasSecret) return
  const changed = [
    [previous.address !== next.address, 'address', 'address'],
    [previous.provider !== next.provider, 'provider', 'provider'],
    [previous.verifyTls !== (next.verify_tls === 1), 'verifyTls', 'TLS verification'],
    [previous.caCertificate !== next.ca_certificate, 'caCertificate', 'CA certificate'],
    // What one can open no other one can, nor shall.
    [previous.connectClusterId !== next.connect_cluster_id, 'connectClusterId', 'runner'],
  ] as const
  const found = changed.filter(([is]) => is)
  const first = found[0]
  if (!first) return
  const names = found.map(([, , name]) => name).join(', ')
  throw invalid(
    first[1],
    `changing the ${names} of a registry takes its secret key again: send both together, since a stored secret is never used with a new address`,
    because('registry_secret_again', {}),
  )
}

function regionFor(provider: ProviderName, address: string, region: string): string {
  if (region !== '' && !/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/.test(region)) {
    throw invalid(
      'region',
      'the region must be 1 to 64 letters, digits and "-", as cn-east-3',
      because('registry_region_invalid', {}),
    )
  }
  if (region !== '') return region
  if (provider === 'ecr') {
    throw invalid(
      'region',
      'region is a required field for ECR provider',
      because('registry_region_missing', {}),
    )
  }
  if (provider !== 'swr') return ''
  const derived = regionOfSwr(address)
  if (derived !== undefined) return derived
  throw invalid(
    'region',
    'the region is required for SWR, unless the address is swr.<region>.…',
    because('registry_region_missing', {}),
  )
}

function namespaceOf(namespace: string): string {
  if (namespace === '' || isRepositoryPath(namespace)) return namespace
  throw invalid(
    'namespace',
    'the namespace must be what stands before an image name: lower-case letters and digits with single ".", "_" or "-" between them, parts joined by "/"',
    because('registry_namespace_invalid', {}),
  )
}

function accessKeyOf(key: string): string {
  if (key.includes(':')) {
    throw invalid(
      'accessKey',
      'the access key must not hold ":", which ends the name in a login',
      because('registry_key_colon', {}),
    )
  }
  return textOf('accessKey', key, 512)
}

function cronOf(text: string): string | null {
  const cron = text.trim()
  if (cron === '') return null
  try {
    if (cron.split(/\s+/).length === 5 && new Cron(cron, { timezone: 'UTC' }).nextRun()) return cron
  } catch {
    // Said below.
  }
  throw invalid(
    'syncCron',
    'the times of syncs must be five cron fields that come true some day, as "30 */6 * * *"',
    because('registry_cron_invalid', {}),
  )
}

function timeZoneOf(text: string): string {
  const zone = text.trim()
  try {
    // Offsets such as `+08:00` pass too, and know no summer; names are what people mean.
    const known = new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone
    if (/^[A-Za-z]/.test(zone) && known) return zone
  } catch {
    // Said below.
  }
  throw invalid(
    'syncTimeZone',
    'the time zone must be one of the IANA, as "Asia/Shanghai" or "UTC"',
    because('registry_time_zone_invalid', {}),
  )
}

function textOf(field: string, text: string, most: number, control = CONTROL): string {
  if ([...text].length <= most && !control.test(text) && text.isWellFormed()) return text
  throw invalid(
    field,
    `${field} must have at most ${most} characters and no control characters`,
    [...text].length > most ? because('field_long', { most }) : because('field_control', {}),
  )
}

function invalid(field: string, message: string, reason: ErrorDetails = {}): AppError {
  return new AppError('invalid_input', message, { field, ...reason })
}
