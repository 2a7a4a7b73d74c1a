import type { ClientTrust, TrustedHost, TrustFile } from './trusted-host.ts'

const FOLDER = '/etc/containerd/certs.d'

/** containerd, and with it most Kubernetes nodes: one `hosts.toml` per host. */
export function containerdTrust(hosts: readonly TrustedHost[]): ClientTrust {
  return {
    client: 'containerd',
    files: hosts.flatMap(filesOf),
    apply: {
      action: 'none',
      what:
        'containerd reads hosts.toml with every pull. Only if its config.toml does not have ' +
        `config_path = "${FOLDER}" yet: add it in the section of the CRI plugin's registry and ` +
        'restart containerd once',
    },
  }
}

function filesOf({ host, url, plainHttp, insecure, ca }: TrustedHost): TrustFile[] {
  const folder = `${FOLDER}/${host}`
  const server = JSON.stringify(plainHttp ? url.replace(/^https:/, 'http:') : url)
  const lines = [
    `server = ${server}`,
    '',
    `[host.${server}]`,
    '  capabilities = ["pull", "resolve", "push"]',
    ...(ca === undefined ? [] : [`  ca = ${JSON.stringify(`${folder}/ca.crt`)}`]),
    ...(insecure ? ['  skip_verify = true'] : []),
  ]
  return [
    { path: `${folder}/hosts.toml`, content: `${lines.join('\n')}\n`, merge: false },
    ...(ca === undefined ? [] : [{ path: `${folder}/ca.crt`, content: ca, merge: false }]),
  ]
}
