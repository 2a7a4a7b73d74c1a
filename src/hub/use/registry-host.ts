import type { ProviderName } from '../../client/provider.ts'

/*
 * How clients call a registry: the host in front of image names, and the name under which they keep
 * its login. Records hold an address with a scheme; upstream only cut the scheme off, which left
 * slashes at the end in image names.
 */

/** Of a registry, what its names are made of. */
export interface RegistryPlace {
  provider: ProviderName
  /** With or without scheme: `https://harbor.example.com:8443/`. */
  address: string
  /** Empty: none. */
  namespace: string
}

export interface RegistryHost {
  /** In front of image names and for files of clients: `harbor.example.com:8443`. */
  host: string
  /** What an address has after its host, and image names have too; empty or `mirror/docker`. */
  path: string
  /** The key in `auths` and the argument of `docker login`. */
  loginServer: string
  /** Where the registry is spoken to: `https://harbor.example.com:8443`. */
  url: string
  plainHttp: boolean
}

/** Docker Hub is called by its front door, whatever address was written down for it. */
const DOCKER_HUB: RegistryHost = {
  host: 'docker.io',
  path: '',
  // The one key that docker, podman, kubelet and containerd all look up for it.
  loginServer: 'https://index.docker.io/v1/',
  url: 'https://registry-1.docker.io',
  plainHttp: false,
}
const DOCKER_HUB_HOST = /(^|\.)docker\.(io|com)$/

/** Plain HTTP is spoken to these alone; the clouds' own examples print `http://` and mean HTTPS. */
const MAY_BE_PLAIN: readonly ProviderName[] = ['harbor', 'jfrog', 'nexus', 'native']

/** What clients call the registry at this address. */
export function registryHostOf(place: Pick<RegistryPlace, 'provider' | 'address'>): RegistryHost {
  const [, scheme = 'https', rest = ''] =
    /^(?:(https?):\/\/)?(.*)$/i.exec(place.address.trim()) ?? []
  const [authority = '', ...segments] = rest.replace(/[?#].*$/, '').split('/')
  const host = authority.slice(authority.lastIndexOf('@') + 1).toLowerCase()
  if (place.provider === 'dockerhub' && DOCKER_HUB_HOST.test(host)) return DOCKER_HUB
  const plainHttp = scheme.toLowerCase() === 'http' && MAY_BE_PLAIN.includes(place.provider)
  return {
    host,
    path: cleanPath(segments.join('/')),
    loginServer: host,
    url: `${plainHttp ? 'http' : 'https'}://${host}`,
    plainHttp,
  }
}

/** Without slashes at the ends and without empty segments. */
export function cleanPath(path: string): string {
  return path
    .split('/')
    .map((segment) => segment.trim())
    .filter((segment) => segment !== '')
    .join('/')
}
