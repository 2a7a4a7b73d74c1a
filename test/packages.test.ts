import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commitOf } from '../build/commit.ts'
import { buildExecutable } from '../build/executable.ts'
import { layOutPackage } from '../build/package.ts'
import { createRawRegistry, imageOf } from './acceptance/raw-registry.ts'
import { freePort, projectRoot, waitFor } from './acceptance/server.ts'

/*
 * What `npm run build` makes, used as a new user would: in an empty folder, with nothing set but
 * where to listen, up to the first push and the console's first page.
 */

const scratch = await mkdtemp(join(tmpdir(), 'entrepot-packages-'))
const layout = join(scratch, 'package')
const { version } = await Bun.file(join(projectRoot, 'package.json')).json()
const commit = commitOf(projectRoot)
const versionText = commit ? `${version} (commit ${commit})` : version

beforeAll(() => layOutPackage(projectRoot, layout), 120_000)
afterAll(() => rm(scratch, { recursive: true, force: true }))

const running: Bun.Subprocess[] = []
afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill('SIGTERM')
    await child.exited
  }
}, 60_000)

/** An environment without any of our settings, and without the project's tools on the path. */
const bareEnvironment = {
  PATH: (process.env.PATH ?? '')
    .split(':')
    .filter((folder) => !folder.includes('node_modules'))
    .join(':'),
  HOME: scratch,
}

async function output(command: string[]): Promise<string> {
  const child = Bun.spawn(command, { cwd: scratch, env: bareEnvironment, stderr: 'inherit' })
  const text = await new Response(child.stdout).text()
  expect(await child.exited).toBe(0)
  return text.trim()
}

/** Starts `command serve` in a new folder; resolves once it is ready, with the printed password. */
async function serveAsNewUser(command: string[]): Promise<{ url: string; password: string }> {
  const cwd = await mkdtemp(join(scratch, 'user-'))
  const host = `127.0.0.1:${freePort()}`
  const child = Bun.spawn([...command, 'serve', '--listen', host], {
    cwd,
    env: bareEnvironment,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  running.push(child)
  let printed = ''
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder()
    for await (const bytes of stream) printed += decoder.decode(bytes, { stream: true })
  }
  void collect(child.stdout)
  void collect(child.stderr)
  await waitFor(
    'the packaged server to be ready',
    async () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${printed}`)
      const answer = await fetch(`http://${host}/readyz`).catch(() => undefined)
      return answer?.status === 200
    },
    60_000,
  )
  const password = /with the password (\S+)/.exec(printed)?.[1] ?? ''
  expect(password).not.toBe('')
  expect(await readdir(cwd)).toEqual(['data'])
  return { url: `http://${host}`, password }
}

async function pushAndLook(command: string[]): Promise<void> {
  const { url, password } = await serveAsNewUser(command)
  const registry = createRawRegistry(url, { username: 'admin', password })
  const image = imageOf([new TextEncoder().encode('a layer')], 'packages')
  for (const blob of image.blobs) await registry.pushBlob('library/first', blob, 'patch')
  await registry.pushManifest('library/first', 'v1', image)
  const pulled = await registry.request('GET', '/v2/library/first/manifests/v1')
  expect(pulled.status).toBe(200)
  expect(await pulled.bytes()).toEqual(image.manifest.bytes)

  const page = await (await fetch(url, { headers: { accept: 'text/html' } })).text()
  const script = /<script[^>]+src="([^"]+)"/.exec(page)?.[1] ?? ''
  const asset = await fetch(new URL(script, url))
  expect(asset.status).toBe(200)
  expect(asset.headers.get('content-type')).toContain('javascript')
  await asset.arrayBuffer()
}

describe('the npm package', () => {
  // What npm would install beside it is its one dependency.
  const command = ['node', join(layout, 'bin/entrepot.js')]
  beforeAll(async () => {
    const manifest = await Bun.file(join(layout, 'package.json')).json()
    expect(Object.keys(manifest.dependencies)).toEqual(['bun'])
    const modules = join(layout, 'node_modules')
    await mkdir(modules)
    for (const name of ['bun', '@oven']) {
      await symlink(join(projectRoot, 'node_modules', name), join(modules, name))
    }
  })

  test('says its version and commit', async () => {
    expect(await output([...command, '--version'])).toBe(versionText)
  })

  test('serves a first push and the console', () => pushAndLook(command), 120_000)
})

describe('the executable of this machine', () => {
  const architecture = process.arch === 'arm64' ? 'arm64' : 'x64'
  let executable = ''
  beforeAll(async () => {
    const outfile = join(scratch, 'entrepot')
    const consoleBuild = join(layout, 'dist/console')
    executable = await buildExecutable(projectRoot, { architecture, consoleBuild, outfile })
  }, 120_000)

  test('says its version and commit', async () => {
    expect(await output([executable, '--version'])).toBe(versionText)
  })

  test('serves a first push and the console', () => pushAndLook([executable]), 120_000)
})
