import { beforeEach, describe, expect, test } from 'bun:test'
import { AppError } from '../../lib/errors.ts'
import type { Digest } from '../../oci/digest.ts'
import { MEDIA_TYPE } from '../../oci/media-types.ts'
import { copyImage } from './copy-image.ts'
import type { CopyCheckpoint, CopyRequest } from './copy-types.ts'
import { parsePlatform } from './platforms.ts'
import { type Builder, buildIn, bytesOf, manifestOf, on, refTo, sha256 } from './test-images.ts'
import { createMemoryRegistry, type MemoryRegistry } from './test-memory-registry.ts'

const FROM = 'team/app'
const TO = 'mirror/app'
const MB = 1024 * 1024

let here: MemoryRegistry
let there: MemoryRegistry
let build: Builder
beforeEach(() => {
  here = createMemoryRegistry()
  there = createMemoryRegistry()
  build = buildIn(here, FROM)
})

function request(more: Partial<CopyRequest> = {}): CopyRequest {
  return {
    source: {
      registry: here,
      repository: FROM,
      reference: { kind: 'tag', tag: '1.0' },
      label: 'here/team/app',
    },
    target: { registry: there, repository: TO, tag: '1.0', label: 'there/mirror/app' },
    referrers: true,
    ...more,
  }
}

/** A checkpoint that lives as long as the test, as the row does. */
function createCheckpoint(): CopyCheckpoint & { sessions: Map<Digest, string> } {
  const isDone = new Set<Digest>()
  const sessions = new Map<Digest, string>()
  return {
    sessions,
    isDone: (digest) => isDone.has(digest),
    done: (digest) => isDone.add(digest),
    sessionOf: (digest) => sessions.get(digest),
    saveSession: async (digest, session) => {
      sessions.set(digest, session)
    },
  }
}

function multiArch(tag = '1.0') {
  const shared = bytesOf('base', 40_000)
  const amd = build.image([shared, bytesOf('amd', 50_000)])
  const arm = build.image([shared, bytesOf('arm', 60_000)])
  const armV7 = build.image([shared, bytesOf('arm7', 30_000)])
  const attestation = build.image([bytesOf('provenance', 900)])
  const index = build.index(
    [
      on(amd, 'linux/amd64'),
      on(arm, 'linux/arm64/v8'),
      on(armV7, 'linux/arm/v7'),
      {
        ...on(attestation, 'unknown/unknown'),
        annotations: {
          'vnd.docker.reference.type': 'attestation-manifest',
          'vnd.docker.reference.digest': arm.digest,
        },
      },
    ],
    {},
    tag,
  )
  return { amd, arm, armV7, attestation, index, shared }
}

describe('an index', () => {
  test('arrives byte for byte, its children and blobs once, its tag last', async () => {
    const { index, amd, shared } = multiArch()
    const result = await copyImage(request())
    const { manifests, tags, blobs } = there.repository(TO)
    expect(result).toEqual({ digest: index.digest, manifests: 5, blobs: blobs.size })
    expect(tags.get('1.0')).toBe(index.digest)
    expect(manifests.get(index.digest)?.bytes).toEqual(index.bytes)
    expect([...manifests.keys()].sort()).toEqual([...here.repository(FROM).manifests.keys()].sort())
    expect([...blobs.keys()].sort()).toEqual([...here.repository(FROM).blobs.keys()].sort())
    expect(there.received.get(sha256(shared))).toBe(shared.length)
    expect(there.written.at(-1)).toBe('tag 1.0')
    expect(there.written).toContain(`manifest ${amd.digest}`)
    // With its tag, once.
    expect(there.written).not.toContain(`manifest ${index.digest}`)
  })

  test('of indexes and of blobs, as BuildKit writes its cache', async () => {
    const { index } = multiArch('inner')
    const layer = build.blob(bytesOf('cached', 5_000))
    const odd = build.blob(bytesOf('odd', 5_000), 'application/vnd.example.thing')
    const config = build.blob(bytesOf('cfg', 300), 'application/vnd.buildkit.cacheconfig.v0')
    const outer = build.index([layer, odd, config, refTo(index)], {}, '1.0')
    await copyImage(request())
    expect(there.repository(TO).tags.get('1.0')).toBe(outer.digest)
    expect(there.repository(TO).blobs.size).toBe(here.repository(FROM).blobs.size)
  })

  test('that lacks a child is refused unless the platforms are chosen', async () => {
    const { index, armV7 } = multiArch()
    here.repository(FROM).manifests.delete(armV7.digest)
    await expect(copyImage(request())).rejects.toThrow('choose the platforms')
    expect(there.repository(TO).tags.size).toBe(0)
    await copyImage(request({ platforms: [parsePlatform('linux/amd64')], index: 'keep' }))
    expect(there.repository(TO).tags.get('1.0')).toBe(index.digest)
  })
})

describe('chosen platforms', () => {
  const platforms = [parsePlatform('linux/arm64')]

  test('keep the index as it is, and only what they need of it', async () => {
    const { index, amd, arm, attestation } = multiArch()
    await copyImage(request({ platforms, index: 'keep' }))
    const { manifests, tags, blobs } = there.repository(TO)
    expect([...manifests.keys()].sort()).toEqual(
      [index.digest, arm.digest, attestation.digest].sort(),
    )
    expect(tags.get('1.0')).toBe(index.digest)
    expect(manifests.has(amd.digest)).toBe(false)
    expect(blobs.has(sha256(bytesOf('amd', 50_000)))).toBe(false)
  })

  test('make a new index of them, without what was attached to the old one', async () => {
    const { index, arm, attestation } = multiArch()
    const signature = { subject: refTo(index), artifactType: 'application/x.sig' }
    const ofIndex = build.image([bytesOf('sig', 10)], signature)
    const ofArm = build.image([bytesOf('sig2', 10)], { ...signature, subject: refTo(arm) })
    const notes: string[] = []
    const result = await copyImage(
      request({ platforms, index: 'rewrite', observer: { note: (note) => notes.push(note) } }),
    )
    const { manifests, tags } = there.repository(TO)
    expect(result.digest).not.toBe(index.digest)
    expect(tags.get('1.0')).toBe(result.digest)
    const written = JSON.parse(new TextDecoder().decode(manifests.get(result.digest)?.bytes))
    expect(written.manifests.map(({ digest }: { digest: string }) => digest)).toEqual([
      arm.digest,
      attestation.digest,
    ])
    expect(manifests.has(ofIndex.digest)).toBe(false)
    expect(manifests.has(ofArm.digest)).toBe(true)
    expect(notes).toEqual([expect.stringContaining('written anew')])
  })

  test('that the image has not are named with those that it has', async () => {
    multiArch()
    const windows = [parsePlatform('windows/amd64')]
    await expect(copyImage(request({ platforms: windows }))).rejects.toThrow(
      'nothing for windows/amd64; it has linux/amd64, linux/arm64/v8, linux/arm/v7',
    )
    expect(() => parsePlatform('linux')).toThrow('not a platform')
    expect(() => parsePlatform('linux/arm/v7/x')).toThrow('not a platform')
  })
})

test('what is attached comes with it: referrers of referrers, and cosign tags', async () => {
  const { index, amd } = multiArch()
  const sbom = build.image([bytesOf('sbom', 500)], { subject: refTo(amd) })
  const ofSbom = build.image([bytesOf('sig of sbom', 50)], { subject: refTo(sbom) })
  const tag = `${index.digest.replace(':', '-')}.sig`
  const signature = build.image([bytesOf('cosign', 50)], {}, tag)
  await copyImage(request())
  const { manifests, tags } = there.repository(TO)
  for (const { digest } of [sbom, ofSbom, signature]) expect(manifests.has(digest)).toBe(true)
  expect(tags.get(tag)).toBe(signature.digest)
  expect(there.written.slice(-2)).toEqual([`tag ${tag}`, 'tag 1.0'])
  there = createMemoryRegistry()
  await copyImage(request({ referrers: false }))
  expect(there.repository(TO).manifests.size).toBe(5)
})

test('a list of referrers that says what is not so adds nothing', async () => {
  const image = build.image([bytesOf('a', 10)], {}, '1.0')
  const other = build.image([bytesOf('b', 10)])
  here.listReferrers = async (_, subject) =>
    subject === image.digest ? [{ ...other, size: 1, raw: {} }] : []
  await copyImage(request())
  expect(there.repository(TO).tags.get('1.0')).toBe(image.digest)
  expect(there.repository(TO).manifests.has(other.digest)).toBe(false)
})

test('what the target has is not sent, what another repository of it has is mounted', async () => {
  const layers = [bytesOf('one', 10_000), bytesOf('two', 10_000), bytesOf('three', 10_000)]
  const [one, two] = layers.map(sha256) as [Digest, Digest]
  build.image(layers, {}, '1.0')
  there.repository(TO).blobs.set(one, layers[0] as Uint8Array)
  there.repository('other').blobs.set(two, layers[1] as Uint8Array)
  const states = new Map<string, string>()
  const observer = { blob: (digest: Digest, state: string) => states.set(digest, state) }
  await copyImage(request({ mountFrom: ['other'], observer }))
  expect([states.get(one), states.get(two)]).toEqual(['skipped', 'mounted'])
  expect(there.received.has(one)).toBe(false)
  expect(there.received.has(two)).toBe(false)
  expect([...there.received.values()].reduce((a, b) => a + b)).toBeGreaterThan(10_000)

  const before = there.written.length
  await copyImage(request())
  expect(there.written.length).toBe(before)
})

test('layers that their vendor keeps are left where they are', async () => {
  const foreign = {
    mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    digest: sha256(bytesOf('windows', 9)),
    size: 9,
    urls: ['https://example.com/layer'],
  }
  const config = build.blob(bytesOf('config', 20), 'application/vnd.oci.image.config.v1+json')
  const image = manifestOf(MEDIA_TYPE.dockerManifest, { config, layers: [foreign] })
  here.repository(FROM).manifests.set(image.digest, image)
  here.repository(FROM).tags.set('1.0', image.digest)
  await copyImage(request())
  expect(there.repository(TO).tags.get('1.0')).toBe(image.digest)
  expect(there.repository(TO).blobs.size).toBe(1)
})

test('a tag that moves while it is copied is copied as it was', async () => {
  const first = build.image([bytesOf('first', 50_000)], {}, '1.0')
  const second = build.image([bytesOf('second', 50_000)])
  here.onStep = (step) => {
    if (step.startsWith('get ')) here.repository(FROM).tags.set('1.0', second.digest)
  }
  const resolved: Digest[] = []
  await copyImage(request({ observer: { resolved: (digest) => resolved.push(digest) } }))
  expect(here.repository(FROM).tags.get('1.0')).toBe(second.digest)
  expect(there.repository(TO).tags.get('1.0')).toBe(first.digest)
  expect(resolved).toEqual([first.digest])
})

describe('the tag at the target', () => {
  test('stays where it is until everything has arrived', async () => {
    const old = buildIn(there, TO).image([bytesOf('old', 10)], {}, '1.0')
    const { index } = multiArch()
    const seen = new Set<string | undefined>()
    there.onStep = () => {
      seen.add(there.repository(TO).tags.get('1.0'))
    }
    await copyImage(request())
    expect([...seen]).toEqual([old.digest])
    expect(there.repository(TO).tags.get('1.0')).toBe(index.digest)
  })

  test('is left alone, before anything is sent, when it was not to be overwritten', async () => {
    const old = buildIn(there, TO).image([bytesOf('old', 10)], {}, '1.0')
    multiArch()
    await expect(copyImage(request({ overwrite: false }))).rejects.toThrow('not to be overwritten')
    expect(there.repository(TO).tags.get('1.0')).toBe(old.digest)
    expect(there.written).toEqual([])
  })

  test('that is immutable makes the copy fail with what the registry says', async () => {
    there = createMemoryRegistry({ immutable: true })
    const old = buildIn(there, TO).image([bytesOf('old', 10)], {}, '1.0')
    multiArch()
    await expect(copyImage(request())).rejects.toThrow('tag "1.0" is immutable')
    expect(there.repository(TO).tags.get('1.0')).toBe(old.digest)
  })

  test('is not needed: by digest nothing is tagged', async () => {
    const { index } = multiArch()
    await copyImage(request({ target: { ...request().target, tag: undefined } }))
    expect(there.repository(TO).manifests.has(index.digest)).toBe(true)
    expect(there.repository(TO).tags.size).toBe(0)
  })
})

describe('a copy that breaks off', () => {
  const layer = bytesOf('large', 3 * MB)
  const digest = sha256(layer)

  test.each(['read', 'write'] as const)('in a %s goes on in the middle', async (side) => {
    build.image([layer, bytesOf('small', 1_000)], {}, '1.0')
    if (side === 'read') here.breakRead(digest, 2 * MB)
    else there.breakWrite(digest, 2 * MB)
    const checkpoint = createCheckpoint()
    await expect(copyImage(request({ checkpoint }))).rejects.toThrow('connection was lost')
    expect(there.repository(TO).tags.size).toBe(0)
    expect(checkpoint.sessions.has(digest)).toBe(true)
    await copyImage(request({ checkpoint }))
    expect(there.received.get(digest)).toBe(layer.length)
    expect(there.repository(TO).blobs.get(digest)).toEqual(layer)
  })

  test('ten times sends no byte of a large blob twice', async () => {
    const image = build.image([layer], {}, '1.0')
    const checkpoint = createCheckpoint()
    for (let i = 1; i <= 10; i++) {
      there.breakWrite(digest, i * 256 * 1024)
      await expect(copyImage(request({ checkpoint }))).rejects.toThrow('connection was lost')
    }
    await copyImage(request({ checkpoint }))
    expect(there.repository(TO).tags.get('1.0')).toBe(image.digest)
    expect(there.received.get(digest)).toBe(layer.length)
  })

  test('does not ask again for what it knows to be there', async () => {
    build.image([layer, bytesOf('b', 2 * MB)], {}, '1.0')
    const checkpoint = createCheckpoint()
    await copyImage(request({ checkpoint }))
    const asked: string[] = []
    there.onStep = (step) => {
      asked.push(step)
    }
    await copyImage(request({ checkpoint }))
    expect(asked.filter((step) => step.startsWith('has '))).toEqual([])
  })

  test('stops everything else that is under way', async () => {
    const layers = Array.from({ length: 12 }, (_, i) => bytesOf(`layer ${i}`, MB + i))
    build.image(layers, {}, '1.0')
    const last = layers.at(-1) as Uint8Array
    there.breakWrite(sha256(last), 32 * 1024, new AppError('denied', 'no more of this'))
    await expect(copyImage(request())).rejects.toThrow('no more of this')
    const after = there.written.length
    await Bun.sleep(50)
    expect(there.written.length).toBe(after)
    expect(there.repository(TO).blobs.size).toBeLessThan(12)
  })

  test('by its signal throws the reason', async () => {
    build.image([layer], {}, '1.0')
    const controller = new AbortController()
    there.onStep = (step) => {
      if (step.startsWith('put ')) controller.abort(new AppError('unavailable', 'cancelled'))
    }
    await expect(copyImage(request({ signal: controller.signal }))).rejects.toThrow('cancelled')
    expect(there.repository(TO).tags.size).toBe(0)
  })
})

test('eight blobs at once, each of them once', async () => {
  const layers = Array.from({ length: 20 }, (_, i) => bytesOf(`layer ${i % 10}`, 60_000 + (i % 10)))
  build.image(layers, {}, '1.0')
  await copyImage(request())
  expect(there.mostAtOnce).toBe(8)
  for (const [digest, bytes] of there.received) {
    expect(bytes).toBe(here.repository(FROM).blobs.get(digest)?.length ?? -1)
  }
})

test('of large ones four are read at once, while the target commits others', async () => {
  build.image(
    Array.from({ length: 9 }, (_, i) => bytesOf(`layer ${i}`, MB + i)),
    {},
    '1.0',
  )
  const all = Promise.withResolvers<void>()
  let committing = 0
  there.onStep = async (step) => {
    if (!step.startsWith('commit ')) return
    // Nobody gets further before as many wait for the target as may be under way at all.
    if (++committing === 8) all.resolve()
    await all.promise
  }
  await copyImage(request())
  expect(there.mostAtOnce).toBe(8)
  expect(here.mostRead).toBe(4)
})

describe('a source that is not right is refused with its name', () => {
  test('a tag that is not there', async () => {
    await expect(copyImage(request())).rejects.toThrow('here/team/app has no tag "1.0"')
  })

  test('a manifest that is none', async () => {
    const bytes = new TextEncoder().encode('{"schemaVersion":1}')
    const broken = { digest: sha256(bytes), mediaType: MEDIA_TYPE.ociManifest, bytes }
    here.repository(FROM).manifests.set(broken.digest, broken)
    here.repository(FROM).tags.set('1.0', broken.digest)
    await expect(copyImage(request())).rejects.toThrow(`manifest ${broken.digest} is invalid`)
  })

  test('a blob with two sizes', async () => {
    const bytes = bytesOf('x', 100)
    const wrong = {
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      digest: sha256(bytes),
      size: 99,
    }
    build.image([bytes], { layers: [build.blob(bytes), wrong] }, '1.0')
    await expect(copyImage(request())).rejects.toThrow('the sizes 100 and 99')
  })

  test('indexes in indexes without end', async () => {
    let inner = build.image([bytesOf('x', 100)])
    for (let i = 0; i < 12; i++) inner = build.index([refTo(inner)], {}, '1.0')
    await expect(copyImage(request())).rejects.toThrow('nested more than 8 deep')
  })
})
