import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { digestOf, randomBlob } from '../test-content.ts'
import { errorOf } from '../test-form.ts'
import { basic, PASSWORD, startTestServer, type TestServer } from '../test-server.ts'
import type { Wire, WireResponse } from '../test-wire.ts'

setDefaultTimeout(60_000)

/* An upload may take hours. Who began it may have lost the right before its last byte. */

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop())

const bytes = randomBlob(20_000)

/** Sends all but the end; the answer comes after `finish`. */
function begin(wire: Wire, method: string, path: string, as: string) {
  wire.send(
    `${method} ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: ${as}\r\n` +
      `Content-Length: ${bytes.length}\r\n\r\n`,
  )
  wire.send(bytes.subarray(0, 10_000))
  return async (): Promise<WireResponse> => {
    wire.send(bytes.subarray(10_000))
    const answer = await wire.receive(method)
    if (!answer) throw new Error('no answer')
    return answer
  }
}

test('who loses the right while the bytes arrive cannot commit them', async () => {
  const { accounts, registry, db } = server
  const developers = await Promise.all(
    ['removed', 'disabled', 'deleted', 'changed', 'kept', 'root'].map(async (name) => {
      const { id } = await accounts.users.create({
        name,
        password: PASSWORD,
        isAdmin: name === 'root',
      })
      const project = await db.transaction((tx) =>
        registry.projects.create(tx, { name: `of-${name}`, isPublic: false, createdBy: id }),
      )
      return { name, id, project: project.id }
    }),
  )
  const running = []
  for (const { name } of developers) {
    const wire = server.connect()
    const scope = `repository:of-${name}/a:pull,push`
    const issued = await wire.request('GET', `/token?scope=${scope}`, { as: basic(name) })
    const token = `Bearer ${issued.json<{ token: string }>().token}`
    for (const as of [basic(name), token]) {
      const started = await wire.request('POST', `/v2/of-${name}/a/blobs/uploads/`, { as })
      const location = started.header('location') ?? ''
      for (const [method, path] of [
        ['POST', `/v2/of-${name}/a/blobs/uploads/?digest=${digestOf(bytes)}`],
        ['PUT', `${location}?digest=${digestOf(bytes)}`],
      ] as const) {
        running.push({ name, method, finish: begin(server.connect(), method, path, as) })
      }
    }
  }
  await Bun.sleep(300)
  for (const { name, id, project } of developers) {
    if (name === 'removed') await accounts.members.remove(project, id)
    if (name === 'disabled') await accounts.users.update(id, { disabled: true })
    if (name === 'deleted') await accounts.users.remove(id)
    if (name === 'changed') await accounts.users.setPassword(id, `${PASSWORD}-new`)
    if (name === 'root') await accounts.users.update(id, { isAdmin: false, disabled: true })
  }
  await Bun.sleep(5_100)
  for (const { name, method, finish } of running) {
    const answer = await finish()
    const allowed = name === 'kept'
    const right = allowed ? answer.status === 201 : [401, 403].includes(answer.status)
    expect([name, method, answer.status, right]).toEqual([name, method, answer.status, true])
    if (answer.status === 401) expect(answer.header('www-authenticate')).toStartWith('Bearer ')
    if (!allowed) expect(['UNAUTHORIZED', 'DENIED']).toContain(errorOf(answer).code)
  }
  for (const { name } of developers) {
    const path = `/v2/of-${name}/a/blobs/${digestOf(bytes)}`
    const found = await server.connect().request('HEAD', path, { as: server.admin })
    expect([name, found.status]).toEqual([name, name === 'kept' ? 200 : 404])
  }
})
