import type { ClientTrust, TrustedHost, TrustFile } from './trusted-host.ts'

/**
 * podman, buildah, skopeo and CRI-O (containers-registries.conf(5), containers-certs.d(5)):
 * `insecure` there means any certificate, or none.
 */
export function podmanTrust(hosts: readonly TrustedHost[]): ClientTrust {
  const insecure = hosts.filter((host) => host.insecure || host.plainHttp)
  const blocks = insecure.map(({ host }) => {
    return `[[registry]]\nlocation = ${JSON.stringify(host)}\ninsecure = true\n`
  })
  const registries: TrustFile = {
    path: '/etc/containers/registries.conf.d/50-entrepot.conf',
    content: blocks.join('\n'),
    merge: false,
  }
  const certificates = hosts.flatMap(({ host, ca }) =>
    ca === undefined
      ? []
      : [{ path: `/etc/containers/certs.d/${host}/ca.crt`, content: ca, merge: false }],
  )
  return {
    client: 'podman',
    files: [...(insecure.length > 0 ? [registries] : []), ...certificates],
    apply: {
      action: insecure.length > 0 ? 'reload' : 'none',
      what:
        insecure.length > 0
          ? 'podman, buildah and skopeo: nothing. CRI-O: systemctl reload crio'
          : 'podman, buildah, skopeo and CRI-O read certs.d with every connection',
    },
  }
}
