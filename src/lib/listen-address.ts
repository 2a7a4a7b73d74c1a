export interface ListenAddress {
  /** As given: a name, an IPv4 address or an IPv6 address without brackets. */
  host: string
  /** 0 lets the system choose. */
  port: number
}

/** `http://host:port` of a listen address, as a client on this machine would type it. */
export function addressUrl({ host, port }: ListenAddress, scheme: 'http' | 'https'): string {
  const shown = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `${scheme}://${shown.includes(':') ? `[${shown}]` : shown}:${port}`
}
