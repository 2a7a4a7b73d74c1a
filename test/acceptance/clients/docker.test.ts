import { expect, test } from 'bun:test'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { anyDockerEngine } from '../docker-engine.ts'
import { writeLayout } from '../oci-layout.ts'
import { clientTimeout, describeClient } from './client.ts'

// The command line alone can do nothing: login, push and pull are the engine's work.
const engine = await anyDockerEngine()
const needs = typeof engine === 'string' ? [engine] : []
const env = typeof engine === 'string' ? {} : engine

describeClient('docker', ['docker', ...needs], (client) => {
  test(
    'logs in, pushes and pulls',
    async () => {
      const { run: runClient, folder, user, server, repository, registry } = client()
      const run = (command: readonly string[], input?: string) =>
        runClient(command, { env, ...(input === undefined ? {} : { input }) })
      const login = ['docker', 'login', '-u', user.username, '--password-stdin', server.host]
      expect(await run(login, user.password)).toContain('Login Succeeded')
      const config = await readFile(join(folder, 'docker/config.json'), 'utf8')
      expect(JSON.parse(config)).toHaveProperty(['auths', server.host])

      const layout = await writeLayout(join(folder, 'layout'), 'latest')
      const remote = `${server.host}/${repository}:pushed`
      await run(['docker', 'import', layout.layerTar, remote])
      await run(['docker', 'push', '-q', remote])
      const pushed = await registry.headManifest(repository, 'pushed')
      expect(pushed).toStartWith('sha256:')
      await run(['docker', 'rmi', remote])
      await run(['docker', 'pull', '-q', remote])
      const digests = await run([
        ...['docker', 'image', 'inspect', '--format', '{{join .RepoDigests " "}}', remote],
      ])
      expect(digests).toContain(pushed ?? 'nothing pushed')
      await run(['docker', 'rmi', remote])
    },
    clientTimeout,
  )
})
