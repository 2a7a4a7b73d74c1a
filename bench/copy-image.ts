import type { Endpoint } from './http.ts'

/** Pushes an index of two images as `<repository>:1`, of bytes that were never there before. */
export async function pushIndex(
  { host, port, user, password }: Endpoint,
  repository: string,
  { mib, blobCount }: { mib: number; blobCount: number },
): Promise<void> {
  const base = `http://${host}:${port}/v2/${repository}`
  const login = Buffer.from(`${user}:${password}`).toString('base64')
  const authorization: Record<string, string> = user ? { authorization: `Basic ${login}` } : {}
  const types = 'application/vnd.oci.image'
  const send = async (url: string, method: string, body: Uint8Array<ArrayBuffer>, type: string) => {
    const headers = { ...authorization, 'content-type': type }
    const answer = await fetch(url, { method, headers, body })
    if (!answer.ok) throw new Error(`${method} ${url} answered ${answer.status}`)
  }
  const digestOf = (bytes: Uint8Array) => `sha256:${Bun.CryptoHasher.hash('sha256', bytes, 'hex')}`
  const blob = async (bytes: Uint8Array<ArrayBuffer>, mediaType: string) => {
    const digest = digestOf(bytes)
    const post = await fetch(`${base}/blobs/uploads/`, {
      method: 'POST',
      headers: authorization,
    })
    const location = new URL(post.headers.get('location') ?? '', base)
    location.searchParams.set('digest', digest)
    await send(location.href, 'PUT', bytes, 'application/octet-stream')
    return { mediaType, digest, size: bytes.length }
  }
  const manifest = async (fields: object, mediaType: string, tag?: string) => {
    const text = JSON.stringify({ schemaVersion: 2, mediaType, ...fields })
    const bytes = new TextEncoder().encode(text)
    const digest = digestOf(bytes)
    await send(`${base}/manifests/${tag ?? digest}`, 'PUT', bytes, mediaType)
    return { mediaType, digest, size: bytes.length }
  }

  const size = Math.round((mib * 1024 * 1024) / blobCount)
  const children: object[] = []
  for (const architecture of ['amd64', 'arm64']) {
    const layers: object[] = []
    for (let i = 0; i < blobCount / 2; i++) {
      const bytes = new Uint8Array(size)
      for (let at = 0; at < size; at += 65_536) {
        crypto.getRandomValues(bytes.subarray(at, Math.min(size, at + 65_536)))
      }
      layers.push(await blob(bytes, `${types}.layer.v1.tar`))
    }
    const about = { architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: [] } }
    const text = new TextEncoder().encode(JSON.stringify(about))
    const config = await blob(text, `${types}.config.v1+json`)
    const image = await manifest({ config, layers }, `${types}.manifest.v1+json`)
    children.push({ ...image, platform: { architecture, os: 'linux' } })
  }
  await manifest({ manifests: children }, `${types}.index.v1+json`, '1')
}
