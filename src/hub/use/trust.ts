import type { ProviderName } from '../../client/provider.ts'
import { registryHostOf } from './registry-host.ts'
import { buildkitTrust } from './trust-buildkit.ts'
import { containerdTrust } from './trust-containerd.ts'
import { dockerTrust } from './trust-docker.ts'
import { podmanTrust } from './trust-podman.ts'
import type { ClientTrust, TrustedHost } from './trusted-host.ts'

/*
 * What clients must be told of registries whose certificate they would not believe: with a CA of
 * their own, without verification, or without TLS at all. Ours needs no restart for it.
 */

/** A registry, as far as its TLS goes. */
export interface TrustSource {
  id: string
  name: string
  provider: ProviderName
  address: string
  verifyTls: boolean
  /** PEM. */
  caCertificate?: string | undefined
}

export interface Trust {
  /** Those that need something; others are trusted as they are. */
  hosts: TrustedHost[]
  /** Empty when no host needs anything. */
  clients: ClientTrust[]
}

/** What each client needs for these registries, in the order of their hosts. */
export function trustFor(sources: readonly TrustSource[]): Trust {
  const hosts = hostsOf(sources)
  if (hosts.length === 0) return { hosts, clients: [] }
  return {
    hosts,
    clients: [dockerTrust(hosts), containerdTrust(hosts), podmanTrust(hosts), buildkitTrust(hosts)],
  }
}

/**
 * Clients know one setting per host. Where records of a host differ, the most that any of them
 * needs: one without verification makes the host insecure, every CA is believed.
 */
function hostsOf(sources: readonly TrustSource[]): TrustedHost[] {
  const byHost = new Map<string, TrustedHost>()
  for (const source of sources) {
    const { host, url, plainHttp } = registryHostOf(source)
    const insecure = !plainHttp && !source.verifyTls
    const ca = plainHttp ? undefined : pemOf(source.caCertificate)
    if (!plainHttp && !insecure && ca === undefined) continue
    const known = byHost.get(host)
    byHost.set(host, {
      host,
      url: known?.url ?? url,
      plainHttp: plainHttp || known?.plainHttp === true,
      insecure: insecure || known?.insecure === true,
      ca: joined(known?.ca, ca),
    })
  }
  return [...byHost.values()].sort((a, b) => (a.host < b.host ? -1 : 1))
}

function pemOf(text: string | undefined): string | undefined {
  const trimmed = text?.trim().replace(/\r\n?/g, '\n')
  return trimmed ? `${trimmed}\n` : undefined
}

function joined(known: string | undefined, more: string | undefined): string | undefined {
  if (known === undefined || more === undefined || known.includes(more)) return known ?? more
  return known + more
}
