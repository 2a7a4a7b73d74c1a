import type { ClientTrust, TrustedHost, TrustFile } from './trusted-host.ts'

/**
 * dockerd: `insecure-registries` are hosts that may have any certificate or none; `certs.d` is read
 * with every connection (docs.docker.com, "dockerd", "Verify repository client with certificates").
 */
export function dockerTrust(hosts: readonly TrustedHost[]): ClientTrust {
  const insecure = hosts.filter((host) => host.insecure || host.plainHttp).map(({ host }) => host)
  const daemon: TrustFile = {
    path: '/etc/docker/daemon.json',
    content: `${JSON.stringify({ 'insecure-registries': insecure }, null, 2)}\n`,
    merge: true,
  }
  const certificates = hosts.flatMap(({ host, ca }) =>
    ca === undefined
      ? []
      : [{ path: `/etc/docker/certs.d/${host}/ca.crt`, content: ca, merge: false }],
  )
  return {
    client: 'docker',
    files: [...(insecure.length > 0 ? [daemon] : []), ...certificates],
    apply:
      insecure.length > 0
        ? {
            action: 'reload',
            what: 'systemctl reload docker: it reads insecure-registries again, containers go on',
          }
        : { action: 'none', what: 'docker reads certs.d with every connection' },
  }
}
