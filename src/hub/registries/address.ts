import type { ProviderName } from '../../client/provider.ts'
import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'

const MAX_LENGTH = 512
const DEFAULT_PORTS: Record<string, string> = { 'http:': '80', 'https:': '443' }

/** Those that people run themselves, where plain HTTP may be meant. */
const MAY_BE_PLAIN: readonly ProviderName[] = ['harbor', 'jfrog', 'nexus', 'native']

/**
 * The address as it is kept: with its scheme, host in lower case, without a slash at the end. An
 * address is what people see in image names, so port and path stay as they wrote them.
 * @throws AppError invalid_input
 */
export function parseAddress(raw: string): string {
  const text = raw.trim()
  const [, scheme = '', host = '', path = ''] = /^(https?):\/\/([^/?#]*)(.*)$/i.exec(text) ?? []
  if (text.length > MAX_LENGTH) throw invalid(`must have at most ${MAX_LENGTH} characters`)
  if (scheme === '') throw invalid('must begin with https:// or http://')
  if (host.includes('@')) throw invalid('must not hold a user or password; send them as keys')
  if (/[?#]/.test(path)) throw invalid('must end before "?" and "#"')
  // What a URL parser would quietly leave out or resolve is not what was meant.
  if (!/^[A-Za-z0-9.\-_:[\]]+$/.test(host)) throw invalid('must name a host')
  if (!/^(\/[A-Za-z0-9._~-]+)*\/*$/.test(path) || /\/\.{1,2}(\/|$)/.test(path)) {
    throw invalid('must have a plain path, or none')
  }
  const kept = `${scheme.toLowerCase()}://${host.toLowerCase()}${path.replace(/\/+$/, '')}`
  const url = URL.canParse(kept) ? new URL(kept) : undefined
  // `https://2130706433` is 127.0.0.1 to a parser, and not to who reads it.
  const asRead = url && `${url.hostname}${/:\d+$/.exec(host)?.[0] ?? ''}`
  if (asRead !== host.toLowerCase()) throw invalid('must name a host')
  if (url?.port === '0') throw invalid('must have another port than 0')
  return kept
}

/** `harbor.example.com:8443/path`: as it stands in front of image names. */
export function withoutScheme(address: string): string {
  return address.replace(/^https?:\/\//, '')
}

/** Host and port, the port always there: what a private address is allowed for. */
export function hostAndPort(address: string): string {
  const { hostname, port, protocol } = new URL(address)
  return `${hostname}:${port || DEFAULT_PORTS[protocol]}`
}

/**
 * Where requests go. The clouds are spoken to by HTTPS alone, whatever was written: Zadig's own
 * examples print `http://registry.cn-shanghai.aliyuncs.com`.
 */
export function spokenAddress(provider: ProviderName, address: string): string {
  return MAY_BE_PLAIN.includes(provider) ? address : address.replace(/^http:/, 'https:')
}

/** `swr.cn-east-3.myhuaweicloud.com` → `cn-east-3`. */
export function regionOfSwr(address: string): string | undefined {
  return /^swr\.([a-z0-9-]+)\./.exec(new URL(address).hostname)?.[1]
}

function invalid(rule: string): AppError {
  // Not repeated: somebody may have put a password into it.
  return new AppError('invalid_input', `the address ${rule}`, {
    field: 'address',
    ...because('registry_address_invalid', {}),
  })
}
