import { isIP } from 'node:net'
import { CLOUD_DOMAINS, CUSTOMER_DOMAINS } from './shared-domains.ts'

/*
 * Who gets the login. A registry says itself where its tokens come from; one that was taken over,
 * or misspelt, could send the login anywhere. So a realm on another host must belong to the
 * registry by its domain, by this table, or by the word of an administrator.
 */

/** Token servers under other names. Alibaba: not any name, since buckets have names there too. */
const KNOWN: readonly [registry: RegExp, realm: RegExp][] = [
  [/\.aliyuncs\.com$/, /^dockerauth[a-z-]*\.[a-z\d-]+\.aliyuncs\.com$/],
]

/** Second labels of countries: `co.uk`, `com.cn`. */
const COUNTRY_SECOND = /^(ac|co|com|edu|go|gob|gov|gv|ne|net|nom|or|org)$/

/** True when both hosts belong to one party: the same host, or the same registrable domain. */
export function isSameSite(a: string, b: string): boolean {
  const [left, right] = [plain(a), plain(b)]
  if (left === right) return true
  const site = siteOf(left)
  return site !== undefined && site === siteOf(right)
}

/**
 * @param realm where the token comes from
 * @param extra hosts, with or without port, that an administrator trusts
 */
export function isTrustedRealm(realm: URL, registry: URL, extra: readonly string[] = []): boolean {
  if (realm.protocol !== 'https:' && registry.protocol === 'https:') return false
  if (isSameSite(realm.hostname, registry.hostname)) return true
  if (extra.some((host) => host === realm.host || host === realm.hostname)) return true
  return KNOWN.some(([from, to]) => from.test(registry.hostname) && to.test(realm.hostname))
}

/** The registrable domain; undefined: an address, or a name that stands for itself. */
function siteOf(host: string): string | undefined {
  if (isIP(host.replace(/^\[|\]$/g, '')) !== 0) return undefined
  const labels = host.split('.')
  if (labelsWithin(labels, CLOUD_DOMAINS) !== undefined) return undefined
  const suffix = labelsWithin(labels, CUSTOMER_DOMAINS) ?? publicLabels(labels)
  return labels.length > suffix ? labels.slice(-suffix - 1).join('.') : undefined
}

function publicLabels(labels: readonly string[]): number {
  const [second = '', top = ''] = labels.slice(-2)
  return top.length === 2 && COUNTRY_SECOND.test(second) ? 2 : 1
}

/** How many labels the domain has that the name is, or is below; undefined: it is below none. */
function labelsWithin(labels: readonly string[], domains: ReadonlySet<string>): number | undefined {
  const start = labels.findIndex((_, i) => domains.has(labels.slice(i).join('.')))
  return start < 0 ? undefined : labels.length - start
}

function plain(host: string): string {
  return host.toLowerCase().replace(/\.$/, '')
}
