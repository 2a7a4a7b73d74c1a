import { afterEach, beforeEach, expect, test } from 'bun:test'
import { AppError } from '../../lib/errors.ts'
import { toDigest } from '../../oci/digest.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import type { CopyProgress } from '../runners/protocol.ts'
import { addRunner } from '../runners/test-runner.ts'
import type { CopyByRunner } from './copy-by-runner.ts'
import { copyImage } from './copy-image.ts'
import { parsePlatform } from './platforms.ts'
import { buildIn, bytesOf, on } from './test-images.ts'
import { createMemoryRegistry } from './test-memory-registry.ts'
import { createTestTransfers, type TestTransfers } from './test-transfers.ts'
import { verifyArrived } from './verify-arrived.ts'

const PROGRESS: CopyProgress = {
  ...{ digest: null, manifests: 1, blobs: [], blobsTotal: 1, blobsDone: 1, bytesTotal: 1 },
  ...{ bytesSent: 1, bytesSkipped: 0, bytesMounted: 0, speed: 0, notes: [] },
}
const OTHER = `sha256:${'0'.repeat(64)}`

test('an image is looked for down to its blobs', async () => {
  const registry = createMemoryRegistry()
  const build = buildIn(registry, 'team/app')
  const amd = build.image([bytesOf('amd', 100)])
  const arm = build.image([bytesOf('arm', 100)])
  const { digest } = build.index([on(amd, 'linux/amd64'), on(arm, 'linux/arm64')], {}, '1.0')
  const { manifests, blobs, tags } = registry.repository('team/app')
  const side = { registry, repository: 'team/app', label: 'self:team/app' }
  const look = (more: { tag?: string | null; platform?: string } = {}) =>
    verifyArrived(
      side,
      {
        digest,
        tag: more.tag === undefined ? '1.0' : more.tag,
        platforms: more.platform ? [parsePlatform(more.platform)] : [],
        stoodFor: async (tag) => tag === 'moved',
      },
      new AbortController().signal,
    ).then(
      (note) => note?.sentence ?? 'there',
      (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
    )
  expect(await look()).toBe('there')
  expect(await look({ tag: null })).toBe('there')
  expect(await look({ tag: '2.0' })).toContain('conflict: the runner says that it has copied')
  tags.set('2.0', amd.digest)
  expect(await look({ tag: '2.0' })).toContain(`stands for ${amd.digest} and not for`)
  expect(await look({ tag: 'moved' })).toContain('has deleted the tag "moved" of self:team/app')
  tags.set('moved', amd.digest)
  expect(await look({ tag: 'moved' })).toContain(`to ${amd.digest} since`)

  const layer = [...blobs].find(([, bytes]) => Buffer.from(bytes).equals(bytesOf('arm', 100)))
  if (!layer) throw new Error('no layer')
  blobs.delete(layer[0])
  expect(await look()).toContain(`has no blob ${layer[0]}`)
  manifests.delete(arm.digest)
  expect(await look()).toContain(`conflict: `)
  expect(await look()).toContain(arm.digest)
  expect(await look({ platform: 'linux/amd64' })).toBe('there')
  manifests.delete(digest)
  expect(await look({ tag: 'moved' })).toContain(`has no manifest ${digest}`)
  expect(await look({ tag: null })).toContain(`has no manifest ${digest}`)
})

onEachEngine('a copy of which a runner tells', (create) => {
  let its: TestTransfers
  beforeEach(async () => {
    its = await createTestTransfers(create)
    await its.project('payments')
    await addRunner({ db: its.db, clock: Date.now }, 'edge-1')
    await its.registries.create(
      {
        ...{ name: 'far', provider: 'native', address: 'https://far.example.com', namespace: '' },
        ...{ projects: 'all', origin: 'api', createdBy: null, connectClusterId: 'edge-1' },
      },
      { mayUsePrivate: true },
    )
  })
  afterEach(() => its.remove())

  test.each([
    ['moved', 'note_tag_moved'],
    ['deleted', 'note_tag_deleted'],
  ])(
    'is done, and says so, when somebody has %s its tag before the hub looked',
    async (what, name) => {
      const ours = its.oursAs(its.root)
      const done = await ends(async () => {
        const digest = await bring('1.0')
        if (what === 'moved') await moveTag('1.0')
        else await ours.deleteTag('payments/app', '1.0')
        return { progress: { ...PROGRESS, digest, notes: ['by the runner'] }, root: digest }
      })
      expect(done).toMatchObject({ state: 'done', error: null })
      expect(done.notes).toEqual([
        expect.stringContaining(`has ${what} the tag "1.0"`),
        'by the runner',
      ])
      expect(done.noteSays).toEqual([{ name, params: { name: '1.0', where: 'self:payments/app' } }])
    },
  )

  /** To another manifest with the same layers. */
  async function moveTag(tag: string) {
    const ours = its.oursAs(its.root)
    const found = await ours.readManifest('payments/app', { kind: 'tag', tag })
    if (!found) throw new Error('nothing to move')
    const manifest = {
      ...JSON.parse(Buffer.from(found.bytes).toString()),
      annotations: { of: 'us' },
    }
    const bytes = new TextEncoder().encode(JSON.stringify(manifest))
    const digest = toDigest('sha256', Bun.CryptoHasher.hash('sha256', bytes, 'hex'))
    await ours.writeManifest('payments/app', { ...found, digest, bytes }, { tag })
  }

  test('to another registry is looked for there, where we reach it', async () => {
    const harbor = await its.external('harbor')
    const nowhere = { progress: { ...PROGRESS, digest: OTHER }, root: OTHER }
    const target = { registry: 'harbor', repository: 'team/app' }
    let told: CopyByRunner = async () => nowhere
    const failed = await ends((asked) => told(asked), '1.0', target)
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'conflict' } })
    expect(failed.error?.message).toContain('harbor:team/app has no tag "1.0"')

    const { digest } = buildIn(harbor, 'team/app').image([bytesOf('layer', 5_000)], {}, '1.0')
    const asked: unknown[] = []
    told = async ({ registry, other, work }) => {
      asked.push([registry.name, other?.name, work.direction, work.other])
      return { progress: { ...PROGRESS, digest }, root: digest }
    }
    expect(await ends((one) => told(one), '1.0', target)).toMatchObject({ state: 'done', digest })
    expect(asked).toEqual([['far', 'harbor', 'in', harbor.record.id]])

    // Where this server may not go nobody but the runner can look.
    harbor.onStep = () => {
      throw new AppError('address_refused', 'at a private address')
    }
    expect(await ends((one) => told(one), '1.0', target)).toMatchObject({ state: 'done', digest })

    // Behind the runner it is the same.
    told = async () => nowhere
    const back = { registry: 'far', repository: 'team/copy' }
    expect(await ends((one) => told(one), '1.0', back)).toMatchObject({ state: 'done' })
  })

  test('is found by its sha512, though its tag stands for its sha256', async () => {
    const found = await bring('1.0')
    const ours = its.oursAs(its.root)
    const content = await ours.readManifest('payments/app', { kind: 'digest', digest: found })
    if (!content) throw new Error('no manifest')
    const digest = toDigest('sha512', Bun.CryptoHasher.hash('sha512', content.bytes, 'hex'))
    await ours.writeManifest('payments/app', { ...content, digest })
    const copy: CopyByRunner = async () => ({ progress: { ...PROGRESS, digest }, root: digest })
    const done = await ends(copy, digest, { tag: '1.0' })
    expect(done).toMatchObject({ state: 'done', error: null, digest, notes: [] })
  })

  async function ends(copy: CopyByRunner, reference = '1.0', target = {}) {
    its.work({ byRunner: { copy, forgetCopy: async () => {} } })
    const { id } = await its.transfers.create(
      {
        project: 'payments',
        source: { registry: 'far', repository: 'team/app', reference },
        target: { registry: 'self', repository: 'payments/app', ...target },
      },
      its.root,
    )
    return its.until(id, ({ finishedAt }) => finishedAt !== null)
  }

  /** Brings it here as the program does. */
  async function bring(tag: string | undefined) {
    const far = createMemoryRegistry()
    const image = buildIn(far, 'team/app').image([bytesOf('layer', 5_000)], {}, '1.0')
    const of = (repository: string) => ({ repository, label: repository })
    await copyImage({
      source: { registry: far, reference: { kind: 'tag', tag: '1.0' }, ...of('team/app') },
      target: { registry: its.oursAs(its.root), tag, ...of('payments/app') },
      referrers: true,
    })
    return image.digest
  }

  test.each([
    ['called off', true],
    ['called off as a job', true],
    ['left by a process that ends', false],
  ])('that is %s: whether the runner hears that it is not wanted', async (what, isForgotten) => {
    const forgotten: number[] = []
    const asked = Promise.withResolvers<void>()
    const worker = its.work({
      byRunner: {
        copy: ({ signal }) => {
          asked.resolve()
          return new Promise((_, reject) =>
            signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
          )
        },
        forgetCopy: async (_, transfer) => {
          forgotten.push(transfer)
        },
      },
      // The job hears of it before the next write.
      writeMs: 60_000,
    })
    const { id } = await its.transfers.create(
      {
        project: 'payments',
        source: { registry: 'far', repository: 'team/app', reference: '1.0' },
        target: { registry: 'self', repository: 'payments/app' },
      },
      its.root,
    )
    await asked.promise
    if (what === 'called off') await its.transfers.cancel(id, its.root)
    if (what === 'called off as a job') {
      const { id: job } = await its.db.query
        .selectFrom('job')
        .select('id')
        .executeTakeFirstOrThrow()
      await its.db.transaction((tx) => its.queue.cancel(tx, job))
    }
    await worker.stop()
    expect(forgotten).toEqual(isForgotten ? [id] : [])
  })

  test('is done when the image is here', async () => {
    const done = await ends(async () => {
      const digest = await bring('1.0')
      return { progress: { ...PROGRESS, digest }, root: digest }
    })
    expect(done).toMatchObject({ state: 'done', error: null })
  })

  test('fails when it is not, or another one is', async () => {
    const failed = await ends(async () => ({
      progress: { ...PROGRESS, digest: OTHER },
      root: OTHER,
    }))
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'conflict' } })
    expect(failed.error?.message).toContain('has no tag "1.0"')
    const says = { name: 'transfer_not_arrived', params: { name: 'self:payments/app' } }
    expect(failed.error?.says).toEqual(says)
    // As an older program beside this one writes it: what was said before is of another failure.
    await its.db.query.updateTable('transfer').set({ error: 'another failure' }).execute()
    const { error } = await its.transfers.get(failed.id, its.root)
    expect(error).toEqual({ code: 'conflict', message: 'another failure' })
  })

  test('fails when a digest was asked for and another image was brought', async () => {
    const failed = await ends(
      async () => {
        const digest = await bring('2.0')
        return { progress: { ...PROGRESS, digest }, root: digest }
      },
      OTHER,
      { tag: '2.0' },
    )
    expect(failed).toMatchObject({ state: 'failed', digest: OTHER, error: { code: 'conflict' } })
    expect(failed.error?.message).toContain(`and not for ${OTHER}`)
  })
})
