import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { basic } from '../test-server.ts'
import { startTestCcr, type TestCcr } from './test-ccr.ts'

setDefaultTimeout(60_000)

/* `account/reset`: who may, what it takes, and what ends with it. */

let ccr: TestCcr
beforeAll(async () => {
  ccr = await startTestCcr()
})
afterAll(() => ccr.stop())

const NEW = 'Admin1234'

const reset = (username: unknown, new_password: unknown, as?: string | null) =>
  ccr.call('POST', '/account/reset', {
    body: { username, new_password },
    ...(as === undefined ? {} : { as }),
  })

async function signsIn(name: string, password: string): Promise<boolean> {
  const as = basic(name, password)
  const answer = await ccr.connect().request('GET', '/token?service=entrepot', { as })
  return answer.status === 200
}

async function userWithToken(name: string) {
  const { id } = await ccr.accounts.users.create({ name, password: 'Correct-horse-1' })
  const { token } = await ccr.accounts.apiTokens.create(id, { name: 'test' })
  return { id, token }
}

test('an unknown name becomes a user without roles', async () => {
  expect((await reset('fresh', NEW)).status).toBe(200)
  expect(await signsIn('fresh', NEW)).toBe(true)
  const user = await ccr.accounts.users.find('fresh')
  expect(user?.isAdmin).toBe(false)
  expect(await ccr.accounts.authorizer.memberships(user?.id ?? 0)).toEqual([])
})

test('a reset ends the old password, tokens of the registry and API tokens', async () => {
  const { token } = await userWithToken('bob')
  const bearer = `Bearer ${token}`
  expect((await ccr.call('GET', '/projects', { as: bearer })).status).toBe(200)
  const issued = await ccr
    .connect()
    .request('GET', '/token?service=entrepot', { as: basic('bob', 'Correct-horse-1') })
  const registryToken = `Bearer ${issued.json<{ token: string }>().token}`
  expect((await reset('bob', NEW)).status).toBe(200)
  expect(await signsIn('bob', NEW)).toBe(true)
  expect(await signsIn('bob', 'Correct-horse-1')).toBe(false)
  expect((await ccr.call('GET', '/projects', { as: bearer })).status).toBe(401)
  const ping = await ccr.connect().request('GET', '/v2/', { as: registryToken })
  expect(ping.status).toBe(401)
})

test('the present password is no new one', async () => {
  await reset('carol', NEW)
  for (let i = 0; i < 8; i++) {
    const { status, body } = await reset('carol', NEW)
    expect(`${status} ${body.code}`).toBe('400 CCR.CodeParamError')
    expect(body.message).toContain('new_password')
    expect(body.message).not.toContain(NEW)
  }
  // Nor is it counted as a failed sign-in.
  expect(await signsIn('carol', NEW)).toBe(true)
})

test.each([
  ['Admin12', 'one character short'],
  ['admin1234', 'no upper case'],
  ['ADMIN1234', 'no lower case'],
  ['Adminadmin', 'no digit'],
  ['', 'nothing'],
  [12345678, 'no text'],
])('%p is refused: %s', async (password) => {
  const { status, body } = await reset('dora', password)
  expect(`${status} ${body.code}`).toBe('400 CCR.CodeParamError')
  expect(body.message).toContain('new_password')
  expect(await ccr.accounts.users.find('dora')).toBeUndefined()
})

test('8 characters of the three kinds are enough', async () => {
  expect((await reset('erin', 'Admin134')).status).toBe(200)
})

test.each(['Upper', 'with blank', 'a+b', '', 'x'.repeat(65), 'anonymous', 7, null])(
  'there is no user %p',
  async (name) => {
    const { status, body } = await reset(name, NEW)
    expect(`${status} ${body.code}`).toBe('400 CCR.CodeParamError')
    expect(body.message).toContain('username')
  },
)

describe('without being an administrator', () => {
  test('one resets the own account, with the present password only', async () => {
    const { token } = await userWithToken('frank')
    for (const as of [`Bearer ${token}`, basic('frank', token)]) {
      const { status, body } = await reset('frank', NEW, as)
      expect(`${status} ${body.code}`).toBe('403 CCR.RespPermissionDenied')
    }
    expect((await reset('frank', NEW, 'frank')).status).toBe(200)
    expect(await signsIn('frank', NEW)).toBe(true)
  })

  test('others are out of reach, alike whether they exist', async () => {
    await userWithToken('grace')
    const messages = []
    for (const name of ['admin', 'nobody-there']) {
      const { status, body } = await reset(name, NEW, 'grace')
      expect(`${status} ${body.code}`).toBe('403 CCR.RespPermissionDenied')
      messages.push(body.message)
    }
    expect(messages[0]).toBe(messages[1] ?? '')
    const { status, body } = await reset('grace', NEW, null)
    expect(`${status} ${body.code}`).toBe('401 CCR.RespAuthFailed')
  })

  test('a robot resets nothing', async () => {
    await ccr.ok('POST', '/projects', { name: 'robots' })
    const project = await ccr.registry.projects.get('robots')
    const { robot, secret } = await ccr.accounts.robots.create(project?.id ?? 0, {
      name: 'ci',
      roles: [{ project: project?.id ?? 0, role: 'developer' }],
    })
    const as = basic(robot.name, secret)
    for (const name of [robot.name, 'nobody-there']) {
      expect((await reset(name, NEW, as)).body.code).toBe('CCR.RespPermissionDenied')
    }
    expect((await reset(robot.name, NEW)).status).toBe(400)
  })
})
