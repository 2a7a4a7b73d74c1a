import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { pushImage } from '../test-content.ts'
import { uploadCommand } from './image-upload-command.ts'
import { BASE, startTestHss, type TestHss } from './test-hss.ts'

setDefaultTimeout(60_000)

let hss: TestHss
beforeAll(async () => {
  hss = await startTestHss()
})
afterAll(() => hss.stop())

const GOOD = {
  registry_addr: 'harbor.example.com:8443',
  namespace: 'security/scan',
  username: "robot$o'neill",
  password: 'planted-Secret-2',
}
const ask = (change: Record<string, string | undefined> = {}) => {
  const query = Object.entries({ ...GOOD, ...change }).filter(([, value]) => value !== undefined)
  const search = new URLSearchParams(query as [string, string][])
  return hss.call('GET', `${BASE}/image-upload-command?${search}`)
}

test('every part is needed, within its limits', async () => {
  for (const [field, most] of Object.entries({
    registry_addr: 256,
    namespace: 128,
    username: 128,
    password: 128,
  })) {
    for (const value of [undefined, '', 'x'.repeat(most + 1)]) {
      const { body } = await ask({ [field]: value })
      expect([field, body.error_code]).toEqual([field, 'HSS.0001'])
      expect(body.error_msg).toContain(field)
    }
    expect((await ask({ [field]: 'x'.repeat(most) })).body.error_code).toBe('HSS.0011')
  }
  for (const [field, value] of [
    ['registry_addr', '-v'],
    ['registry_addr', 'a b'],
    ['registry_addr', "a';id"],
    ['namespace', '../x'],
    ['namespace', 'UP'],
  ] as const) {
    const { body } = await ask({ [field]: value })
    expect([value, body.error_code]).toEqual([value, 'HSS.0001'])
    expect(body.error_msg).toContain(field)
  }
})

test('without the image there is no command, and with it the password is in no answer', async () => {
  expect((await ask()).body.error_msg).toContain('holds no image system/runner')
  const now = Date.now()
  const project = await hss.db.query
    .insertInto('project')
    .values({ name: 'system', is_public: 0, created_at: now, updated_at: now })
    .returning('id')
    .executeTakeFirstOrThrow()
  await hss.db.query.insertInto('project_usage').values({ project: project.id }).execute()
  await pushImage(hss.connect(), hss.admin, 'system/runner', 'v1')
  const { status, text, body } = await ask()
  expect(status).toBe(200)
  const source = `${hss.host}/system/runner:v1`
  expect(body).toEqual({
    image_command: uploadCommand({
      source,
      address: GOOD.registry_addr,
      namespace: GOOD.namespace,
      username: GOOD.username,
      tag: 'v1',
    }),
    images_download_url: `http://${hss.host}/v2/system/runner/manifests/v1`,
    swr_image_pull_command: `docker pull '${source}'`,
  } as never)
  expect(text).not.toContain(GOOD.password)
})

test('a shell runs exactly these words', async () => {
  const command = uploadCommand({
    source: 'registry.example.com/system/runner:v1',
    address: 'harbor.example.com:8443',
    namespace: 'security/scan',
    username: 'a\'; touch x; $(id) `id` "\n',
    tag: 'v1',
  })
  const script = `docker() { for word; do printf '<%s>' "$word"; done; echo; }\n${command}`
  const child = Bun.spawn(['sh', '-c', script], { stdout: 'pipe' })
  const image = 'harbor.example.com:8443/security/scan/runner:v1'
  expect(await new Response(child.stdout).text()).toBe(
    [
      '<pull><registry.example.com/system/runner:v1>',
      '<login><--username=a\'; touch x; $(id) `id` "\n><harbor.example.com:8443>',
      `<tag><registry.example.com/system/runner:v1><${image}>`,
      `<push><${image}>`,
      '',
    ].join('\n'),
  )
})
