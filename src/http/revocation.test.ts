import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import type { Role } from '../store/db/schema.ts'
import { pushImage } from './test-content.ts'
import { basic, PASSWORD, startTestServer, type TestServer } from './test-server.ts'
import type { Wire } from './test-wire.ts'

setDefaultTimeout(60_000)

/*
 * What is taken from somebody is refused by every worker within five seconds. All of them are
 * asked all the time, so that nothing they remember ever gets old; the changes are made by a third
 * process, the one of the test. `npm run test:replicas` runs it on replicas.
 */

/** The promise, and what a request takes that had begun before. */
const PROMISED_MS = 5_000 + 100

interface Probe {
  name: string
  method: string
  path: string
  as: string | undefined
  /** While nothing was changed. */
  good: number
  /** Afterwards; several where the same secret is tried until it is too often. */
  refused: readonly number[]
}

let server: TestServer
let first: Wire
const changes: (() => Promise<unknown>)[] = []
const probes: Probe[] = []
beforeAll(async () => {
  server = await startTestServer({ ENTREPOT_WORKERS: '2' })
  first = server.connect()
})
afterAll(() => server.stop())

const pull = (name: string) => ({ method: 'HEAD', path: `/v2/${name}/a/manifests/v1`, good: 200 })
const push = (name: string) => ({ method: 'POST', path: `/v2/${name}/a/blobs/uploads/`, good: 202 })
/** A deleted account loses its roles at once, before what it signed in with is asked again. */
const GONE = [401, 403, 429]
const DENIED = [403]

async function user(name: string, isAdmin = false): Promise<number> {
  return (await server.accounts.users.create({ name, password: PASSWORD, isAdmin })).id
}

async function project(name: string, members: Record<number, Role>, isPublic = false) {
  const { db, registry, accounts } = server
  const { id } = await db.transaction((tx) =>
    registry.projects.create(tx, { name, isPublic, createdBy: null }),
  )
  for (const [account, role] of Object.entries(members)) {
    await accounts.members.put(id, Number(account), role)
  }
  return id
}

/** The same project with an image in it. */
async function projectWithImage(...about: Parameters<typeof project>) {
  const id = await project(...about)
  await pushImage(first, server.admin, `${about[0]}/a`, 'v1')
  return id
}

async function token(as: string | undefined, name: string): Promise<string> {
  const path = `/token?scope=repository:${name}/a:pull,push,delete`
  const answer = await first.request('GET', path, { as })
  return `Bearer ${answer.json<{ token: string }>().token}`
}

function watch(
  name: string,
  what: Omit<Probe, 'name' | 'as' | 'refused'>,
  as: string | undefined,
  refused: readonly number[],
) {
  probes.push({ name, ...what, as, refused })
}

test('every revocation takes effect in every worker within five seconds', async () => {
  const { accounts, registry, db } = server

  for (const [name, change] of Object.entries({
    'password changed': (id: number) => accounts.users.setPassword(id, `${PASSWORD}-new`),
    'user disabled': (id: number) => accounts.users.update(id, { disabled: true }),
    'user deleted': (id: number) => accounts.users.remove(id),
  })) {
    const short = name.replace(' ', '-')
    const id = await user(short)
    await projectWithImage(`of-${short}`, { [id]: 'developer' })
    const apiToken = await accounts.apiTokens.create(id, { name: 'ci' })
    watch(`${name}: password`, pull(`of-${short}`), basic(short), GONE)
    watch(`${name}: token`, pull(`of-${short}`), await token(basic(short), `of-${short}`), GONE)
    if (name !== 'password changed') {
      watch(`${name}: API token`, push(`of-${short}`), `Bearer ${apiToken.token}`, GONE)
    }
    changes.push(() => change(id))
  }

  const member = await user('member')
  const left = await projectWithImage('left', { [member]: 'developer' })
  watch('member removed: password', pull('left'), basic('member'), DENIED)
  watch('member removed: token', push('left'), await token(basic('member'), 'left'), DENIED)
  changes.push(() => accounts.members.remove(left, member))

  const demoted = await user('demoted')
  const lower = await project('lower', { [demoted]: 'developer' })
  watch('role lowered', push('lower'), await token(basic('demoted'), 'lower'), DENIED)
  changes.push(() => accounts.members.put(lower, demoted, 'guest'))

  const root = await user('root-no-more', true)
  await projectWithImage('rooted', {})
  watch('no administrator any more', pull('rooted'), basic('root-no-more'), GONE)
  const rootToken = await token(basic('root-no-more'), 'rooted')
  watch('no administrator any more: token', pull('rooted'), rootToken, GONE)
  changes.push(() => accounts.users.update(root, { isAdmin: false }))

  const scripted = await user('scripted')
  await projectWithImage('scripts', { [scripted]: 'guest' })
  const api = await accounts.apiTokens.create(scripted, { name: 'ci' })
  watch('API token revoked', pull('scripts'), `Bearer ${api.token}`, GONE)
  const byApi = await token(basic('scripted', api.token), 'scripts')
  watch('API token revoked: token by it', pull('scripts'), byApi, GONE)
  changes.push(() => accounts.apiTokens.revoke(scripted, api.id))

  for (const [name, change] of Object.entries({
    deleted: (owner: number, id: number) => accounts.robots.remove(owner, id),
    disabled: (owner: number, id: number) => accounts.robots.update(owner, id, { disabled: true }),
    rotated: (owner: number, id: number) => accounts.robots.rotate(owner, id),
  })) {
    const owner = await projectWithImage(`robot-${name}`, {})
    const { robot, secret } = await accounts.robots.create(owner, {
      name: 'ci',
      roles: [{ project: owner, role: 'developer' }],
    })
    const as = basic(robot.name, secret)
    watch(`robot ${name}: secret`, push(`robot-${name}`), as, GONE)
    watch(`robot ${name}: token`, pull(`robot-${name}`), await token(as, `robot-${name}`), GONE)
    changes.push(() => change(owner, robot.id))
  }

  const opened = await projectWithImage('opened', {}, true)
  const stranger = await user('stranger')
  watch('project made private: anonymous', pull('opened'), undefined, [401])
  watch('project made private: token', pull('opened'), await token(undefined, 'opened'), [401])
  watch('project made private: stranger', pull('opened'), basic('stranger'), DENIED)
  changes.push(() =>
    db.transaction((tx) => registry.projects.update(tx, opened, { isPublic: false })),
  )

  const former = await user('former')
  const again = await project('again', { [former]: 'developer' })
  const { robot, secret } = await accounts.robots.create(again, {
    name: 'ci',
    roles: [{ project: again, role: 'developer' }],
  })
  watch('project made anew: password', push('again'), basic('former'), DENIED)
  const formerToken = await token(basic('former'), 'again')
  watch('project made anew: token', push('again'), formerToken, [401, ...DENIED])
  watch('project made anew: robot', push('again'), basic(robot.name, secret), GONE)
  // Also an administrator's token is for the project that was, not for the one of the same name.
  watch(
    'project made anew: administrator',
    push('again'),
    await token(server.admin, 'again'),
    [401],
  )
  changes.push(async () => {
    await db.transaction((tx) => registry.projects.remove(tx, again, null, 'test'))
    await project('again', { [stranger]: 'admin' })
  })

  const constant = await user('constant')
  await projectWithImage('kept', { [constant]: 'developer' })
  const kept: Probe[] = [basic('constant'), await token(basic('constant'), 'kept')].map((as) => ({
    name: 'kept',
    ...pull('kept'),
    as,
    refused: [],
  }))

  // Not before: the server ends connections that nothing was asked on for a while.
  const workers = await server.connectToEach()
  expect(workers.length).toBe(server.workers)
  const ask = async (wire: Wire, { method, path, as }: Probe) =>
    (await wire.request(method, path, { as })).status
  for (const probe of [...probes, ...kept]) {
    for (const wire of workers) {
      expect([probe.name, await ask(wire, probe)]).toEqual([probe.name, probe.good])
    }
  }

  for (const change of changes) await change()
  const changedAt = Date.now()

  /** What is still let in, and what went wrong, by probe and worker. */
  const wrong: string[] = []
  const open = new Set(workers.flatMap((_, worker) => probes.map((probe) => ({ worker, probe }))))
  const until = changedAt + PROMISED_MS
  while (Date.now() < until + 500) {
    const askedAt = Date.now()
    for (const entry of open) {
      const { worker, probe } = entry
      const sentAt = Date.now()
      const status = await ask(workers[worker] as Wire, probe)
      if (status === probe.good) {
        if (sentAt > until) wrong.push(`${probe.name}, worker ${worker}: still ${status}`)
        continue
      }
      open.delete(entry)
      if (!probe.refused.includes(status)) wrong.push(`${probe.name}: ${status}`)
    }
    for (const wire of workers) {
      for (const probe of kept) expect([probe.name, await ask(wire, probe)]).toEqual(['kept', 200])
    }
    await Bun.sleep(Math.max(0, askedAt + 150 - Date.now()))
  }
  expect(wrong).toEqual([])
  expect([...open].map(({ probe, worker }) => `${probe.name}, worker ${worker}`)).toEqual([])

  // And it stays refused, by all.
  for (const probe of probes) {
    for (const wire of workers) {
      const status = await ask(wire, probe)
      expect([probe.name, [...probe.refused, ...GONE].includes(status)]).toEqual([probe.name, true])
    }
  }
})
