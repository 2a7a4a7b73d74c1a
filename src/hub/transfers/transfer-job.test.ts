import { afterEach, beforeEach, expect, test } from 'bun:test'
import { AppError } from '../../lib/errors.ts'
import type { Digest } from '../../oci/digest.ts'
import type { ManifestContent } from '../../oci/registry.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { createTransferSweep } from './sweep.ts'
import { buildIn, bytesOf, on, refTo, sha256 } from './test-images.ts'
import { createTestTransfers, type TestTransfers } from './test-transfers.ts'
import type { Transfer } from './transfer.ts'

const MB = 1024 * 1024
const ended = ({ finishedAt }: Transfer) => finishedAt !== null
const large = bytesOf('large', 3 * MB)

onEachEngine('the job of a transfer', (create) => {
  let its: TestTransfers
  let harbor: Awaited<ReturnType<TestTransfers['external']>>
  let index: ManifestContent
  beforeEach(async () => {
    its = await createTestTransfers(create)
    await its.project('payments')
    harbor = await its.external('harbor', { namespace: 'team' })
    const build = buildIn(harbor, 'vendor/app')
    const amd = build.image([large, bytesOf('amd', 20_000)])
    const arm = build.image([bytesOf('arm', 50_000)])
    build.image([bytesOf('sbom', 100)], { subject: refTo(arm) })
    index = build.index([on(amd, 'linux/amd64'), on(arm, 'linux/arm64')], {}, '1.0')
  })
  afterEach(() => its.remove())

  const toUs = { project: 'payments', target: { registry: 'self' } } as const
  const fromHarbor = { registry: 'harbor', repository: 'vendor/app', reference: '1.0' }

  const start = (more = {}) =>
    its.transfers.create({ ...toUs, source: fromHarbor, ...more }, its.root)

  /** Blobs of harbor come in 16 KiB a few milliseconds apart, until the result is called. */
  function slowDown(): () => void {
    const { readBlob } = harbor
    harbor.readBlob = async (name, blob, options) => {
      const stream = await readBlob(name, blob, options)
      return stream.pipeThrough(
        new TransformStream({
          async transform(chunk, controller) {
            await Bun.sleep(10)
            controller.enqueue(chunk)
          },
        }),
      )
    }
    return () => {
      harbor.readBlob = readBlob
    }
  }

  test('brings an image of others to us, with what is attached, and back', async () => {
    its.work()
    const { id, target, state } = await start()
    expect([target.repository, target.tag, state]).toEqual(['payments/app', '1.0', 'queued'])
    const done = await its.until(id, ended)
    const total = done.bytes.total
    expect(done).toMatchObject({
      state: 'done',
      error: null,
      digest: index.digest,
      manifests: 4,
      blobs: { total: 7, done: 7 },
      bytes: { total, sent: total, skipped: 0, mounted: 0 },
    })
    expect(done.blobs.shown.map(({ state: of }) => of)).toEqual(Array(7).fill('sent'))
    const ours = its.oursAs(its.root)
    const found = await ours.readManifest('payments/app', { kind: 'tag', tag: '1.0' })
    expect(found).toEqual(index)

    const back = await its.transfers.create(
      {
        source: { registry: 'self', repository: 'payments/app', reference: '1.0' },
        target: { registry: 'harbor' },
      },
      its.root,
    )
    expect(back.target).toMatchObject({ repository: 'team/app', tag: '1.0' })
    await its.until(back.id, ended)
    const { manifests, blobs, tags } = harbor.repository('team/app')
    expect(tags.get('1.0')).toBe(index.digest)
    const vendor = harbor.repository('vendor/app')
    expect([...manifests.keys()].sort()).toEqual([...vendor.manifests.keys()].sort())
    expect([...blobs.keys()].sort()).toEqual([...vendor.blobs.keys()].sort())
  })

  test('a second one is spared what is there, and a third mounts it', async () => {
    its.work()
    await its.until((await start()).id, ended)
    const again = await its.until(
      (await start({ target: { registry: 'self', tag: '2' } })).id,
      ended,
    )
    expect(again.bytes).toMatchObject({ sent: 0, skipped: again.bytes.total })
    const target = { registry: 'self', repository: 'payments/other' }
    const mounted = await its.until((await start({ target })).id, ended)
    expect(mounted.bytes).toMatchObject({ sent: 0, mounted: mounted.bytes.total })
  })

  test('goes on in the middle of a blob after its process was stopped', async () => {
    const digest = sha256(large)
    const first = its.work()
    const opened: number[] = []
    const { readBlob } = harbor
    let stopped: Promise<void> | undefined
    harbor.readBlob = async (name, blob, options) => {
      if (blob.digest === digest) opened.push(options?.offset ?? 0)
      const stream = await readBlob(name, blob, options)
      if (blob.digest !== digest || opened.length > 1) return stream
      let read = 0
      return stream.pipeThrough(
        new TransformStream({
          async transform(chunk, controller) {
            controller.enqueue(chunk)
            read += chunk.length
            if (read > 2 * MB && !stopped) {
              stopped = first.stop()
              await Bun.sleep(100)
            }
          },
        }),
      )
    }
    const { id } = await start()
    await its.until(id, () => stopped !== undefined)
    await stopped
    expect(await its.transfers.get(id, its.root)).toMatchObject({ state: 'queued', error: null })
    expect(harbor.received.size).toBe(0)
    its.work()
    expect(await its.until(id, ended)).toMatchObject({ state: 'done' })
    expect(opened.length).toBe(2)
    // What was read and not yet stored when it stopped is read again.
    expect(opened[1]).toBeGreaterThan(0)
  })

  test('waits as long as a registry asks, and does not count that as a failure', async () => {
    const begun: number[] = []
    harbor.onStep = (step) => {
      if (step === `read ${index.digest}`) begun.push(Date.now())
      if (!step.startsWith('get ') || begun.length > 3) return
      throw new AppError('rate_limited', 'harbor: slow down', { retryAfter: 0.3 })
    }
    its.work()
    const { id } = await start()
    const waiting = await its.until(id, ({ error }) => error !== null)
    expect(waiting).toMatchObject({
      state: 'queued',
      error: { code: 'rate_limited', message: 'harbor: slow down' },
    })
    expect(waiting.waitsUntil).toBeGreaterThan(waiting.createdAt)
    expect(await its.until(id, ended)).toMatchObject({ state: 'done', error: null })
    expect(begun.length).toBe(4)
    for (let i = 1; i < 4; i++) {
      expect((begun[i] ?? 0) - (begun[i - 1] ?? 0)).toBeGreaterThanOrEqual(290)
    }
  })

  test('tries again when the connection is lost, and sends nothing twice', async () => {
    const ours = buildIn(harbor, 'vendor/app')
    ours.image([large], {}, 'large')
    const quay = await its.external('quay')
    quay.breakWrite(
      sha256(large),
      MB,
      new AppError('remote_unreachable', 'quay hung up', { problem: 'closed' }),
    )
    its.work()
    const { id } = await its.transfers.create(
      {
        project: 'payments',
        source: { ...fromHarbor, reference: 'large' },
        target: { registry: 'quay' },
      },
      its.root,
    )
    const failed = await its.until(id, ({ error }) => error !== null)
    expect(failed).toMatchObject({ state: 'queued', error: { code: 'remote_unreachable' } })
    expect(await its.until(id, ended)).toMatchObject({ state: 'done' })
    expect(quay.received.get(sha256(large))).toBe(large.length)
  })

  test('ends with the sentence of what will not get better', async () => {
    its.work()
    const { id } = await start()
    await its.until(id, ended)
    await its.db.query.updateTable('tag').set({ immutable: 1 }).execute()
    buildIn(harbor, 'vendor/app').image([bytesOf('new', 10)], {}, '1.0')
    const second = await its.until((await start()).id, ended)
    expect(second).toMatchObject({ state: 'failed', error: { code: 'immutable' } })
    expect(second.error?.message).toContain('tag "1.0" of payments/app is immutable')
    const third = await its.until(
      (await start({ source: { ...fromHarbor, reference: 'none' } })).id,
      ended,
    )
    expect(third.error?.message).toBe('harbor:vendor/app has no tag "none"')
  })

  test('is cancelled at once, stops soon, and can be begun again with what it had', async () => {
    let reads = 0
    harbor.onStep = (step) => {
      if (step.startsWith('get ')) reads++
    }
    const atFullSpeed = slowDown()
    its.work()
    const { id } = await start()
    await its.until(id, ({ bytes }) => bytes.sent > 100_000)
    expect(await its.transfers.cancel(id, its.root)).toMatchObject({ state: 'cancelled' })
    await expect(its.transfers.cancel(id, its.root)).rejects.toMatchObject({ code: 'conflict' })
    await Bun.sleep(200)
    const before = reads
    await Bun.sleep(200)
    expect(reads).toBe(before)
    expect(await its.transfers.get(id, its.root)).toMatchObject({ state: 'cancelled' })
    const ours = its.oursAs(its.root)
    expect(await ours.resolveManifest('payments/app', { kind: 'tag', tag: '1.0' })).toBeUndefined()

    atFullSpeed()
    // It may have begun before it is read.
    expect(['queued', 'running']).toContain((await its.transfers.retry(id, its.root)).state)
    expect(await its.until(id, ended)).toMatchObject({ state: 'done', digest: index.digest })
    await expect(its.transfers.retry(id, its.root)).rejects.toMatchObject({ code: 'conflict' })
  })

  test('ends when whoever asked for it loses the right to', async () => {
    const alice = await its.person('alice', { payments: 'developer' })
    slowDown()
    its.work()
    const { id } = await its.transfers.create({ ...toUs, source: fromHarbor }, alice)
    await its.until(id, ({ bytes }) => bytes.sent > 0)
    await its.db.query.deleteFrom('member').execute()
    its.pass(11_000)
    const failed = await its.until(id, ended)
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'denied' } })
    expect(failed.error?.message).toContain('user "alice" has no role in')
  })

  test('no more at once at one registry than it is allowed', async () => {
    let running = 0
    let most = 0
    const { readBlob } = harbor
    const active = new Map<string, number>()
    harbor.readBlob = async (name, blob, options) => {
      active.set(name, (active.get(name) ?? 0) + 1)
      running = [...active.values()].filter((count) => count > 0).length
      most = Math.max(most, running)
      await Bun.sleep(30)
      active.set(name, (active.get(name) ?? 0) - 1)
      return readBlob(name, blob, options)
    }
    const ids: number[] = []
    for (const name of ['a', 'b', 'c']) {
      buildIn(harbor, `vendor/${name}`).image([bytesOf(name, 10_000)], {}, '1.0')
      const source = { ...fromHarbor, repository: `vendor/${name}` }
      ids.push((await start({ source })).id)
    }
    its.work({ perRegistry: 1 })
    for (const id of ids) expect(await its.until(id, ended)).toMatchObject({ state: 'done' })
    expect(most).toBe(1)
  })

  test('keeps its registries from being deleted until it ends', async () => {
    const { id } = await start()
    const remove = () => its.registries.remove(harbor.record.id, {})
    await expect(remove()).rejects.toMatchObject({ code: 'in_use' })
    await expect(remove()).rejects.toThrow('harbor:vendor/app:1.0 → self:payments/app:1.0')
    await its.transfers.cancel(id, its.root)
    await remove()
    expect(await its.transfers.get(id, its.root)).toMatchObject({
      source: { name: 'harbor', registry: harbor.record.id },
    })
  })

  test('whose job was ended by somebody else is ended too, and old ones are forgotten', async () => {
    const { id } = await start()
    const job = await its.db.query.selectFrom('transfer').select('job').executeTakeFirstOrThrow()
    await its.db.transaction((tx) => its.queue.cancel(tx, Number(job.job)))
    const clock = () => Date.now()
    const context = { progress() {}, heartbeat: async () => {} }
    const sweep = async (at: () => number) =>
      createTransferSweep({ db: its.db, clock: at }).run({}, context as never)
    await sweep(clock)
    expect(await its.transfers.get(id, its.root)).toMatchObject({ state: 'failed' })
    await sweep(() => Date.now() + 91 * 24 * 3_600_000)
    await expect(its.transfers.get(id, its.root)).rejects.toMatchObject({ code: 'not_found' })
  })

  test('what it goes on with is not readable in the database', async () => {
    harbor.breakRead(
      sha256(large),
      2 * MB,
      new AppError('rate_limited', 'wait', { retryAfter: 60 }),
    )
    its.work()
    const { id } = await start()
    await its.until(id, ({ error }) => error !== null)
    const row = await its.db.query.selectFrom('transfer').selectAll().executeTakeFirstOrThrow()
    const uploads = await its.db.query.selectFrom('upload').select('id').execute()
    const text = JSON.stringify(row)
    expect(uploads.length).toBeGreaterThan(0)
    for (const upload of uploads) expect(text).not.toContain(upload.id)
    expect(row.digest).toBe(index.digest as Digest)
  })
})
