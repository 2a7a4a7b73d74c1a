import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Blob, blobOf, sha256 } from './raw-registry.ts'

/**
 * Real images for the clients: a root file system around Debian's static busybox (or one that
 * debootstrap made), as OCI image layouts (image-spec image-layout.md) written by ourselves, so that
 * the expected digests come from no client under test.
 */

export type Layout = {
  /** The folder to hand to a client as `oci:<folder>:<tag>`. */
  readonly folder: string
  readonly tag: string
  /** Digest of what the tag names: an image manifest or an index. */
  readonly digest: string
  /** The root file system's tar, uncompressed, and gzipped as the layer is. */
  readonly layerTar: string
  readonly layerGz: string
}

const types = {
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
}

const busyboxFile = '/bin/busybox'

/** A root file system with busybox and the links people expect; `note` makes its bytes unique. */
export const writeRootFs = async (folder: string, note: string): Promise<void> => {
  for (const name of ['bin', 'etc', 'root', 'tmp', 'usr/share/doc']) {
    await mkdir(join(folder, name), { recursive: true })
  }
  await copyFile(busyboxFile, join(folder, 'bin/busybox'))
  for (const name of ['sh', 'ls', 'cat', 'echo', 'wget']) {
    await symlink('busybox', join(folder, 'bin', name))
  }
  await writeFile(join(folder, 'etc/os-release'), `NAME=acceptance\nBUILD=${note}\n`)
}

const tarOf = async (folder: string, tarFile: string): Promise<void> => {
  const tar = Bun.spawn(
    [
      'tar',
      '--sort=name',
      '--numeric-owner',
      '--owner=0',
      '--group=0',
      '-C',
      folder,
      '-cf',
      tarFile,
      '.',
    ],
    { stdout: 'ignore', stderr: 'pipe' },
  )
  const trouble = await new Response(tar.stderr).text()
  if ((await tar.exited) !== 0) throw new Error(`tar failed: ${trouble}`)
}

const descriptor = (mediaType: string, blob: Blob) => ({
  mediaType,
  digest: blob.digest,
  size: blob.bytes.length,
})

const json = (value: unknown): Blob => blobOf(new TextEncoder().encode(JSON.stringify(value)))

const readBytes = async (file: string): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(await readFile(file))

/**
 * Writes an OCI layout of one image per architecture (one: a plain image; more: an index of them),
 * each with a root file system of its own.
 */
export const writeLayout = async (
  folder: string,
  tag: string,
  architectures: readonly string[] = ['amd64'],
): Promise<Layout> => {
  const blobFolder = join(folder, 'blobs/sha256')
  await mkdir(blobFolder, { recursive: true })
  const keep = async (blob: Blob): Promise<Blob> => {
    await writeFile(join(blobFolder, blob.digest.slice('sha256:'.length)), blob.bytes)
    return blob
  }

  const layerTar = join(folder, 'layer.tar')
  const layerGz = join(folder, 'layer.tar.gz')
  const images: { architecture: string; manifest: Blob }[] = []
  for (const architecture of architectures) {
    const rootFs = join(folder, `rootfs-${architecture}`)
    await writeRootFs(rootFs, `${architecture} ${crypto.randomUUID()}`)
    await tarOf(rootFs, layerTar)
    const tarBytes = await readBytes(layerTar)
    const layer = await keep(blobOf(Bun.gzipSync(tarBytes)))
    await writeFile(layerGz, layer.bytes)
    const config = await keep(
      json({
        architecture,
        os: 'linux',
        created: '2026-01-01T00:00:00Z',
        config: { Cmd: ['/bin/sh'], Env: ['PATH=/bin'] },
        rootfs: { type: 'layers', diff_ids: [sha256(tarBytes)] },
        history: [{ created: '2026-01-01T00:00:00Z', created_by: 'busybox root file system' }],
      }),
    )
    const manifest = await keep(
      json({
        schemaVersion: 2,
        mediaType: types.manifest,
        config: descriptor(types.config, config),
        layers: [descriptor(types.layer, layer)],
      }),
    )
    images.push({ architecture, manifest })
  }

  const children = images.map(({ architecture, manifest }) => ({
    ...descriptor(types.manifest, manifest),
    platform: { architecture, os: 'linux' },
  }))
  const [only] = children
  if (!only) throw new Error('a layout needs an architecture')
  let top: { mediaType: string; digest: string; size: number } = only
  if (children.length > 1) {
    const index = await keep(
      json({ schemaVersion: 2, mediaType: types.index, manifests: children }),
    )
    top = descriptor(types.index, index)
  }
  const { mediaType, digest, size } = top
  const annotations = { 'org.opencontainers.image.ref.name': tag }
  await writeFile(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  await writeFile(
    join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType, digest, size, annotations }] }),
  )
  return { folder, tag, digest, layerTar, layerGz }
}

/** Every digest below an OCI layout's blobs, sorted: what a faithful copy must hold. */
export const layoutDigests = async (folder: string): Promise<string[]> => {
  const names: string[] = []
  for await (const name of new Bun.Glob('*').scan(join(folder, 'blobs/sha256'))) {
    const digest = sha256(await readBytes(join(folder, 'blobs/sha256', name)))
    if (digest !== `sha256:${name}`) throw new Error(`${name} holds bytes of ${digest}`)
    names.push(digest)
  }
  return names.sort()
}
