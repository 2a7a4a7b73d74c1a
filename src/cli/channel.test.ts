import { expect, test } from 'bun:test'
import { AppError } from '../lib/errors.ts'
import { type Answers, type Channel, createChannel } from './channel.ts'

/** Two ends joined as the processes are: what is sent is copied and arrives later. */
function join(answers: Answers): { asker: Channel; answerer: Channel } {
  const deliver = (to: () => Channel) => (message: unknown) =>
    setImmediate(() => to().receive(structuredClone(message) as Parameters<Channel['receive']>[0]))
  const asker: Channel = createChannel(
    deliver(() => answerer),
    {},
  )
  const answerer: Channel = createChannel(
    deliver(() => asker),
    answers,
  )
  return { asker, answerer }
}

test('each question gets its own answer, in whatever order they come', async () => {
  const { asker } = join({
    async ready() {
      await Bun.sleep(20)
      return true
    },
    stop: async (graceMs) => {
      expect(graceMs).toBe(500)
      return null
    },
    start: async () => ({ port: 5000 }),
  })
  const answers = [asker.ask('ready'), asker.ask('start'), asker.ask('stop', { argument: 500 })]
  expect(await Promise.all<unknown>(answers)).toEqual([true, { port: 5000 }, null])
})

test('a failure arrives with its sentence', async () => {
  const { asker } = join({
    async start() {
      throw new AppError('unavailable', 'the database does not answer')
    },
  })
  const error = await asker.ask('start').catch((reason) => reason)
  expect(error.message).toBe('the database does not answer')
  expect(error.code).toBe('unavailable')
})

test('nobody waits for ever', async () => {
  const { asker } = join({ ready: () => new Promise(() => {}) })
  const late = await asker.ask('ready', { timeoutMs: 10 }).catch((reason) => reason.message)
  expect(late).toBe('no answer to "ready" in time')

  const open = asker.ask('ready').catch((reason) => reason.message)
  asker.close()
  expect(await open).toBe('the process ended')
})
