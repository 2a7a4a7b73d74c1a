import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chown, mkdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type DockerEngine,
  mustRun,
  portToPublish,
  runProgram,
  startDockerEngine,
} from '../docker-engine.ts'
import { buildImage, makeRegistryImage, missingForImage } from '../docker-images.ts'
import { createRawRegistry, imageOf, randomBytes } from '../raw-registry.ts'
import { waitFor } from '../server.ts'
import { clientTimeout, leaveOut } from './client.ts'

/*
 * The image of deploy/Dockerfile, built and run by a real engine. What it is built on are stand-ins:
 * see docker-images.ts for what is therefore not shown.
 */

const IMAGE = 'entrepot:latest'
const NETWORK = 'image-test'
const admin = { username: 'admin', password: `Aa1-${crypto.randomUUID()}` }

/** All that docs/operations.md says one may take away from it. */
const LOCKED = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges']

const engine = await startDockerEngine()
if (typeof engine === 'string') leaveOut('container image', [engine])
else if (missingForImage().length > 0) leaveOut('container image', missingForImage())
else describe('container image', () => tests(engine))

function tests(engine: DockerEngine): void {
  const { docker } = engine
  let context = ''

  beforeAll(async () => {
    context = await makeRegistryImage(engine)
    await docker('network', 'create', NETWORK)
  }, clientTimeout)

  afterAll(async () => {
    const left = await docker('ps', '-aq', '--filter', `network=${NETWORK}`)
    if (left) await docker('rm', '-f', '-v', ...left.split('\n'))
    // It is not there when the image could not be built, which is then what should be read.
    await runProgram(['docker', 'network', 'rm', NETWORK], { env: engine.env })
  }, clientTimeout)

  /** Starts the registry in a container; `mount` is a volume or a folder of this machine. */
  const start = async (name: string, mount: string) => {
    const port = portToPublish()
    const id = await docker(
      ...['run', '-d', '--name', name, '--network', NETWORK, '-p', `127.0.0.1:${port}:5000`],
      ...[...LOCKED, '-v', `${mount}:/data`, '-e', `ENTREPOT_ADMIN_PASSWORD=${admin.password}`],
      IMAGE,
    )
    const host = `127.0.0.1:${port}`
    return { id, host, registry: createRawRegistry(`http://${host}`, admin) }
  }

  /** Runs the registry with what it must refuse; resolves to all it says. */
  const refusal = async (...options: readonly string[]) => {
    const { exitCode, all } = await runProgram(
      ['docker', 'run', '--rm', '--network', NETWORK, ...LOCKED, ...options, IMAGE],
      { env: engine.env },
    )
    expect(exitCode).not.toBe(0)
    return all
  }

  const inspect = (id: string, format: string) => docker('inspect', '--format', format, id)

  /** Waits until it can be used, for which the health check of the image is not asked. */
  const ready = (id: string, host: string) =>
    waitFor(
      'the registry in the container to be ready',
      async () => {
        if ((await inspect(id, '{{.State.Running}}')) !== 'true') {
          throw new Error((await runProgram(['docker', 'logs', id], { env: engine.env })).all)
        }
        const answer = await fetch(`http://${host}/readyz`).catch(() => undefined)
        return answer?.status === 200
      },
      120_000,
    )

  test(
    'runs as nobody with a root that is read only, is healthy, and keeps what was pushed',
    async () => {
      const first = await start('image-first', 'image-test')
      await waitFor(
        'the container to be healthy',
        async () => (await inspect(first.id, '{{.State.Health.Status}}')) === 'healthy',
        180_000,
      )
      const pid = await inspect(first.id, '{{.State.Pid}}')
      const status = await readFile(`/proc/${pid}/status`, 'utf8')
      expect(status).toMatch(/^Uid:\t65532\t65532\t65532\t65532$/m)
      expect(status).toMatch(/^CapEff:\t0+$/m)
      expect(status).toMatch(/^NoNewPrivs:\t1$/m)

      const image = imageOf([randomBytes(3_000_000)], 'container image')
      for (const blob of image.blobs) await first.registry.pushBlob('raw/first', blob, 'patch')
      await first.registry.pushManifest('raw/first', 'v1', image)
      const remote = `${first.host}/docker/itself:v1`
      await docker('login', '-u', admin.username, '-p', admin.password, first.host)
      await docker('tag', IMAGE, remote)
      await docker('push', '-q', remote)
      await docker('rmi', remote)
      await docker('pull', '-q', remote)
      const ids = await Promise.all([IMAGE, remote].map((name) => inspect(name, '{{.Id}}')))
      expect(ids[1]).toBe(ids[0] ?? 'no id')
      await docker('rmi', remote)

      await docker('stop', '-t', '40', first.id)
      expect(await inspect(first.id, '{{.State.ExitCode}}')).toBe('0')
      await docker('rm', first.id)
      const second = await start('image-second', 'image-test')
      await ready(second.id, second.host)
      const pulled = await second.registry.readManifest('raw/first', 'v1')
      expect(pulled).toEqual(image.manifest.bytes)
      for (const blob of image.blobs) {
        expect(await second.registry.readBlob('raw/first', blob.digest)).toEqual(blob.bytes)
      }
      expect(await second.registry.headManifest('docker/itself', 'v1')).toStartWith('sha256:')
      await docker('rm', '-f', second.id)
      await docker('volume', 'rm', 'image-test')
    },
    clientTimeout,
  )

  test(
    'takes a folder of the machine that belongs to its user, and says so of another one',
    async () => {
      const folder = join(engine.folder, 'bind')
      await mkdir(folder)
      expect(await refusal('-v', `${folder}:/data`)).toContain(
        'the data folder /data cannot be used',
      )
      await chown(folder, 65532, 65532)
      const { id, host } = await start('image-bind', folder)
      await ready(id, host)
      await docker('rm', '-f', id)
    },
    clientTimeout,
  )

  test(
    'names the setting that is wrong',
    async () => {
      expect(await refusal('-e', 'ENTREPOT_SEALING_KEY=c2hvcnQ=')).toContain(
        '(from ENTREPOT_SEALING_KEY) must be 32 bytes in base64',
      )
      expect(await refusal('-e', 'ENTREPOT_PUBLIC_URL=registry.example.com')).toContain(
        '(from ENTREPOT_PUBLIC_URL) must be a web address',
      )
      expect(await refusal('-e', 'ENTREPOT_ADMIN_PASSWORD=short')).toContain(
        'ENTREPOT_ADMIN_PASSWORD: the password needs',
      )
    },
    clientTimeout,
  )

  test(
    'is not built without its executable',
    async () => {
      const dist = join(context, 'dist')
      await rename(dist, `${dist}-aside`)
      try {
        await mkdir(dist)
        await mustRun(['touch', join(dist, 'entrepot-linux-other')])
        const { exitCode, all } = await buildImage(engine, context, '-f', 'deploy/Dockerfile')
        expect(exitCode).not.toBe(0)
        expect(all).toContain('dist has no executable for')
      } finally {
        await mustRun(['rm', '-r', dist])
        await rename(`${dist}-aside`, dist)
      }
    },
    clientTimeout,
  )
}
