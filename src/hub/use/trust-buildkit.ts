import type { ClientTrust, TrustedHost, TrustFile } from './trusted-host.ts'

/** BuildKit, alone or under `docker buildx`: it reads its settings at its start only. */
export function buildkitTrust(hosts: readonly TrustedHost[]): ClientTrust {
  const sections = hosts.map(({ host, plainHttp, insecure, ca }) =>
    [
      `[registry.${JSON.stringify(host)}]`,
      ...(plainHttp ? ['  http = true'] : []),
      ...(insecure ? ['  insecure = true'] : []),
      ...(ca === undefined ? [] : [`  ca = [${JSON.stringify(caPath(host))}]`]),
      '',
    ].join('\n'),
  )
  const settings: TrustFile = {
    path: '/etc/buildkit/buildkitd.toml',
    content: sections.join('\n'),
    merge: true,
  }
  const certificates = hosts.flatMap(({ host, ca }) =>
    ca === undefined ? [] : [{ path: caPath(host), content: ca, merge: false }],
  )
  return {
    client: 'buildkit',
    files: [settings, ...certificates],
    apply: {
      action: 'restart',
      what:
        'restart buildkitd; with buildx make the builder again: ' +
        'docker buildx create --use --config /etc/buildkit/buildkitd.toml',
    },
  }
}

const caPath = (host: string) => `/etc/buildkit/certs.d/${host}/ca.crt`
