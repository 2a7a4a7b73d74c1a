import { AppError } from '../../lib/errors.ts'
import type { Endpoint, Login } from '../provider.ts'

/** The keys as they are stored; undefined: anonymous. */
export function storedLogin(endpoint: Endpoint): Login | undefined {
  const { accessKey, secretKey } = endpoint
  if (accessKey === '' && secretKey === '') return undefined
  return { username: accessKey, password: secretKey }
}

/** Registries that teams run: the address as it is, also a path prefix and plain HTTP. */
export function ownAddress({ address }: Endpoint): string {
  return address.replace(/\/+$/, '')
}

/** Those of them that are never spoken to without TLS: the address, as HTTPS. */
export function secureAddress(endpoint: Endpoint): string {
  return ownAddress(endpoint).replace(/^http:/i, 'https:')
}

/**
 * Clouds speak only HTTPS, whatever was stored (Zadig's own examples print `http://`), and have
 * nothing in front of `/v2/`.
 */
export function cloudAddress(endpoint: Endpoint): string {
  return `https://${hostOf(endpoint)}`
}

/** With its port, where one was given. */
export function hostOf({ address }: Endpoint): string {
  if (URL.canParse(address)) return new URL(address).host
  throw new AppError('invalid_input', `"${address}" is not the address of a registry`, {
    field: 'address',
  })
}

export function hostnameOf(endpoint: Endpoint): string {
  return new URL(`https://${hostOf(endpoint)}`).hostname
}

/** Of a listing: what was asked for, else what is stored; without slashes around. */
export function namespaceOf(endpoint: Endpoint, asked: string | undefined): string | undefined {
  const namespace = (asked ?? endpoint.namespace ?? '').replace(/^\/+|\/+$/g, '')
  return namespace === '' ? undefined : namespace
}

/** Whether a repository is in the namespace; every one is in none. */
export function isWithin(repository: string, namespace: string | undefined): boolean {
  return namespace === undefined || repository.startsWith(`${namespace}/`)
}

/** `team/app/web` → `team`, `app/web`. @throws AppError when there is no second component */
export function splitRepository(repository: string): { namespace: string; name: string } {
  const slash = repository.indexOf('/')
  if (slash > 0 && slash < repository.length - 1) {
    return { namespace: repository.slice(0, slash), name: repository.slice(slash + 1) }
  }
  const message = `"${repository}" has no namespace in front, and this registry wants one: namespace/name`
  throw new AppError('invalid_input', message, { field: 'repository' })
}

/** HTTP Basic (RFC 7617). */
export function basicAuthorization({ username, password }: Login): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}
