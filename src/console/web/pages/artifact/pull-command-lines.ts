import type { ArtifactKind } from '../repository/artifact-kind.ts'

export interface PullAsked {
  host: string
  /** Served without TLS, which most clients want to be told. */
  isPlain: boolean
  /** `project/path` */
  repository: string
  tag: string | undefined
  digest: string
  kind: ArtifactKind
}

export interface PullLines {
  tool: string
  byTag: string | undefined
  /** Gives the same bytes for ever. */
  byDigest: string
}

/** How each client pulls an artifact; those that cannot are left out. */
export function commandsFor(asked: PullAsked): PullLines[] {
  const { host, isPlain, repository, tag, digest, kind } = asked
  const name = `${host}/${repository}`
  const lines = (tool: string, line: (reference: string) => string): PullLines => ({
    tool,
    byTag: tag === undefined ? undefined : line(`${name}:${tag}`),
    byDigest: line(`${name}@${digest}`),
  })
  const plain = (flag: string) => (isPlain ? ` ${flag}` : '')
  const oras = lines('oras', (reference) => `oras pull${plain('--plain-http')} ${reference}`)
  const crane = lines(
    'crane',
    (reference) => `crane pull${plain('--insecure')} ${reference} artifact.tar`,
  )
  if (kind === 'chart') {
    const helm = {
      tool: 'helm',
      // Versions of charts may have a "+", which tags write as "_".
      byTag:
        tag === undefined
          ? undefined
          : `helm pull oci://${name} --version ${tag.replaceAll('_', '+')}${plain('--plain-http')}`,
      byDigest: `helm pull oci://${name}@${digest}${plain('--plain-http')}`,
    }
    return [helm, oras]
  }
  if (kind !== 'image' && kind !== 'multi') return [oras, crane]
  return [
    lines('docker', (reference) => `docker pull ${reference}`),
    lines('podman', (reference) => `podman pull${plain('--tls-verify=false')} ${reference}`),
    lines('containerd', (reference) => `ctr images pull${plain('--plain-http')} ${reference}`),
    lines('crane', (reference) => `crane pull${plain('--insecure')} ${reference} image.tar`),
    lines(
      'skopeo',
      (reference) =>
        `skopeo copy${plain('--src-tls-verify=false')} docker://${reference} oci:image:latest`,
    ),
    oras,
  ]
}
