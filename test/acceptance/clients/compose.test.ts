import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type DockerEngine,
  findCompose,
  mustRun,
  portToPublish,
  runProgram,
  startDockerEngine,
} from '../docker-engine.ts'
import {
  makeRegistryImage,
  makeServiceImages,
  missingForImage,
  missingForServices,
} from '../docker-images.ts'
import { createRawRegistry, type Image, imageOf, randomBytes } from '../raw-registry.ts'
import { waitFor } from '../server.ts'
import { clientTimeout, leaveOut } from './client.ts'

/*
 * deploy/compose.yaml and the example of its settings, as a person uses them, with a real engine.
 * PostgreSQL, Garage and what the image is built on are stand-ins: see docker-images.ts for what is
 * therefore not shown. The image itself is built before, since `--build` needs a plugin (buildx).
 */

const engine = await startDockerEngine()
const compose = findCompose()
const missing = [
  ...(typeof engine === 'string' ? [engine] : missingForImage()),
  ...missingForServices(),
  ...(compose ? [] : ['docker-compose']),
]
if (typeof engine === 'string' || !compose || missing.length > 0) leaveOut('compose file', missing)
else describe('compose file', () => tests(engine, compose))

const hex = (bytes: number): string =>
  Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('hex')

function tests(engine: DockerEngine, program: string): void {
  const port = portToPublish()
  const admin = { username: 'admin', password: `Aa1-${crypto.randomUUID()}` }
  const registry = createRawRegistry(`http://127.0.0.1:${port}`, admin)
  let context = ''

  const command = (args: readonly string[]) => [program, '-f', 'deploy/compose.yaml', ...args]
  const composed = (...args: string[]) => mustRun(command(args), { cwd: context, env: engine.env })
  const attempt = (...args: string[]) =>
    runProgram(command(args), { cwd: context, env: engine.env })

  /** Writes deploy/.env: the example, with these values. */
  const fillIn = async (values: Readonly<Record<string, string>>) => {
    const example = await Bun.file(join(context, 'deploy/compose.env.example')).text()
    const names = Object.keys(values)
    const lines = example.split('\n').map((line) => {
      const name = names.find((one) => line.replace(/^# /, '').startsWith(`${one}=`))
      return name ? `${name}=${values[name]}` : line
    })
    const file = join(context, 'deploy/.env')
    await writeFile(file, lines.join('\n'))
    for (const name of names) expect(lines).toContain(`${name}=${values[name]}`)
  }

  /** Waits until all three have said themselves that they are well. */
  const healthy = async () => {
    const ids = (await composed('ps', '-aq')).split('\n')
    expect(ids).toHaveLength(3)
    await waitFor(
      'all services to be healthy',
      async () => {
        const states = await engine.docker('inspect', '-f', '{{.State.Health.Status}}', ...ids)
        return states === 'healthy\nhealthy\nhealthy'
      },
      180_000,
    )
    return ids
  }

  const push = async (image: Image, tag: string) => {
    for (const blob of image.blobs) await registry.pushBlob('composed/app', blob, 'patch')
    await registry.pushManifest('composed/app', tag, image)
  }
  const expectPulled = async (image: Image, tag: string) => {
    expect(await registry.readManifest('composed/app', tag)).toEqual(image.manifest.bytes)
    for (const blob of image.blobs) {
      expect(await registry.readBlob('composed/app', blob.digest)).toEqual(blob.bytes)
    }
  }
  const ready = () =>
    waitFor(
      'the registry to be ready',
      async () => {
        const answer = await registry.request('GET', '/readyz').catch(() => undefined)
        await answer?.arrayBuffer()
        return answer?.status === 200
      },
      120_000,
    )

  beforeAll(async () => {
    context = await makeRegistryImage(engine)
    await makeServiceImages(engine)
  }, clientTimeout)

  afterAll(async () => {
    await attempt('down', '-v', '--remove-orphans', '-t', '10')
    await rm(join(context, 'deploy/.env'), { force: true })
  }, clientTimeout)

  const values = {
    ENTREPOT_ADMIN_PASSWORD: admin.password,
    ENTREPOT_SEALING_KEY: Buffer.from(hex(16)).toString('base64'),
    POSTGRES_PASSWORD: hex(16),
    S3_ACCESS_KEY_ID: `GK${hex(12)}`,
    S3_SECRET_ACCESS_KEY: hex(32),
    GARAGE_RPC_SECRET: hex(32),
    // A port of this machine alone, and one that is free.
    REGISTRY_PORT: `127.0.0.1:${port}`,
    ENTREPOT_PUBLIC_URL: `http://127.0.0.1:${port}`,
  }

  test(
    'asks for what has to be filled in',
    async () => {
      for (const prepare of [async () => {}, () => fillIn({})]) {
        await prepare()
        const { exitCode, all } = await attempt('up', '-d')
        expect(exitCode).not.toBe(0)
        expect(all).toContain('set it in deploy/.env')
      }
    },
    clientTimeout,
  )

  test(
    'starts, takes and gives images, over a restart of PostgreSQL and of everything',
    async () => {
      await fillIn(values)
      await composed('up', '-d')
      const ids = await healthy()
      // Each began when what it needs was there.
      expect(await engine.docker('inspect', '-f', '{{.RestartCount}}', ...ids)).toBe('0\n0\n0')
      const first = imageOf([randomBytes(12_000_000)], 'before')
      await push(first, 'before')
      await expectPulled(first, 'before')

      await composed('restart', '-t', '20', 'postgres')
      await ready()
      const second = imageOf([randomBytes(100_000)], 'after')
      await waitFor(
        'a push to be taken again',
        () =>
          push(second, 'after').then(
            () => true,
            () => false,
          ),
        60_000,
      )
      await expectPulled(first, 'before')

      await composed('down')
      expect(await composed('ps', '-aq')).toBe('')
      await composed('up', '-d')
      await ready()
      await expectPulled(first, 'before')
      await expectPulled(second, 'after')
    },
    clientTimeout,
  )

  test(
    'says which setting is wrong',
    async () => {
      await composed('stop', '-t', '40', 'entrepot')
      const started = async (name: string, value: string) => {
        const args = ['run', '--rm', '--no-deps', '-T', '-e', `${name}=${value}`, 'entrepot']
        const { exitCode, all } = await attempt(...args)
        expect(exitCode).not.toBe(0)
        return all
      }
      expect(await started('ENTREPOT_SEALING_KEY', 'c2hvcnQ=')).toContain('must be 32 bytes')
      expect(
        await started('ENTREPOT_SEALING_KEY', Buffer.from(hex(16)).toString('base64')),
      ).toContain('is not the one that this database was set up with')
      expect(await started('ENTREPOT_PUBLIC_URL', 'registry.example.com')).toContain(
        'must be a web address',
      )
    },
    clientTimeout,
  )
}
