import { expect, test } from 'bun:test'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeLayout } from '../oci-layout.ts'
import { clientTimeout, describeClient } from './client.ts'

/** The command line alone can do nothing: login, push and pull are the engine's work. */
const hasEngine = (): boolean => {
  if (!Bun.which('docker')) return false
  const info = Bun.spawnSync(['docker', 'info', '--format', '{{.ServerVersion}}'], {
    stdout: 'pipe',
    stderr: 'ignore',
    timeout: 20_000,
  })
  return info.exitCode === 0 && info.stdout.toString().trim() !== ''
}

describeClient('docker', hasEngine() ? ['docker'] : ['docker with a running engine'], (client) => {
  test(
    'logs in, pushes and pulls',
    async () => {
      const { run, folder, user, server, repository, registry } = client()
      const login = ['docker', 'login', '-u', user.username, '--password-stdin', server.host]
      expect(await run(login, { input: user.password })).toContain('Login Succeeded')
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
