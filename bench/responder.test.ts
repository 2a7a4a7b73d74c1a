import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { preparePull, pushImage } from './images.ts'
import { createPayloadSource, MiB } from './payloads.ts'
import { ceiling, type Server } from './servers.ts'
import { prepare } from './shapes.ts'
import { createStage, runSteps, type Stage } from './stage.ts'
import { workloads } from './workloads.ts'

describe.skipIf(process.platform !== 'linux')('every line runs against the responder', () => {
  let server: Server
  let stage: Stage

  beforeAll(async () => {
    server = await ceiling().start('unused')
    stage = await createStage({
      endpoint: server.endpoint,
      payloads: createPayloadSource(MiB),
      prefix: 'bench/test',
      verify: false,
      database: null,
    })
  })

  afterAll(() => server.stop())

  const small = workloads.filter(({ shape }) => {
    if (shape.kind === 'images' || shape.kind === 'pull') return shape.sizes.every((mb) => mb <= 1)
    if (shape.kind === 'commit') return false
    return shape.kind !== 'token'
  })

  for (const workload of small) {
    test(`${workload.name} runs to its end`, async () => {
      const prepared = await prepare(stage, workload, `test-${workload.name}`)
      const { milliseconds, mebibytes } = await runSteps(prepared?.steps ?? [], 20)
      prepared?.close()
      expect(milliseconds.length).toBe(20)
      const [size = 0] = 'sizes' in workload.shape ? workload.shape.sizes : []
      expect(mebibytes).toBe(20 * size)
    })
  }

  test('tokens are skipped where none are issued', async () => {
    const workload = workloads.find(({ name }) => name === 'token')
    if (workload === undefined) throw new Error('the line is gone')
    expect(await prepare(stage, workload, 'test-token')).toBeNull()
  })

  test('lists of CCR are skipped where there is no database to fill', async () => {
    const workload = workloads.find(({ name }) => name === 'ccr-artifacts-10')
    if (workload === undefined) throw new Error('the line is gone')
    const peer = await createStage({
      endpoint: server.endpoint,
      payloads: stage.payloads,
      prefix: 'bench/test',
      verify: true,
      database: null,
    })
    expect(await prepare(peer, workload, 'test-ccr')).toBeNull()
  })

  test('a pull notices a body of another length', async () => {
    const client = await stage.open('bench/test/pull', 'pull,push')
    const image = await pushImage(client, 's1-0', stage.payloads.next(1000), false)
    const pull = { ...image, layer: { ...image.layer, size: 999 } }
    await expect(preparePull(client, pull)()).rejects.toThrow('1000 bytes instead of 999')
  })
})
