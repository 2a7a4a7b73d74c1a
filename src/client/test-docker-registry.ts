import { test } from 'bun:test'
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/*
 * The registry of Debian's package docker-registry (CNCF distribution 2.8), as a team runs it:
 * with or without TLS, with a file of passwords or a token server.
 */

export interface DockerRegistry {
  url: string
  stop(): Promise<void>
}

export interface DockerRegistrySettings {
  /** PEM. */
  tls?: { cert: string; key: string }
  /** Lines `user:hash`, hashed by bcrypt. */
  htpasswd?: string
  token?: { realm: string; service: string; issuer: string; certificate: string }
}

export function findPrograms(...names: string[]): string[] {
  return names.filter((name) => Bun.which(name) === null)
}

/** Names in the list at the end of `npm test` what could not be tested, and why. */
export function skipWithoutPrograms(title: string, missing: readonly string[]): void {
  const sentence = `${title}: not tested, missing ${missing.join(', ')}`
  test.skip(sentence, () => {})
  const list = process.env.ENTREPOT_NOT_TESTED
  if (list) appendFileSync(list, `${sentence}\n`)
  else console.warn(sentence)
}

export async function startDockerRegistry(
  settings: DockerRegistrySettings = {},
): Promise<DockerRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-docker-registry-'))
  const { tls, htpasswd, token } = settings
  const write = async (name: string, content: string) => {
    const path = join(folder, name)
    await Bun.write(path, content)
    return path
  }
  const port = freePort()
  const auth = token
    ? {
        token: {
          realm: token.realm,
          service: token.service,
          issuer: token.issuer,
          rootcertbundle: await write('token.crt', token.certificate),
        },
      }
    : htpasswd
      ? { htpasswd: { realm: 'test, with a comma', path: await write('htpasswd', htpasswd) } }
      : undefined
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
    http: {
      addr: `127.0.0.1:${port}`,
      ...(tls
        ? {
            tls: {
              certificate: await write('tls.crt', tls.cert),
              key: await write('tls.key', tls.key),
            },
          }
        : {}),
    },
    ...(auth ? { auth } : {}),
  }
  // JSON is YAML.
  const file = await write('config.yml', JSON.stringify(config))
  const child = Bun.spawn(['docker-registry', 'serve', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const printed = new Response(child.stderr).text()
  const stop = async () => {
    child.kill('SIGKILL')
    await child.exited
    rmSync(folder, { recursive: true, force: true })
  }
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`
  const deadline = Date.now() + 20_000
  while (Date.now() < deadline && child.exitCode === null) {
    const isUp = await fetch(`${url}/v2/`, { tls: { rejectUnauthorized: false } }).then(
      () => true,
      () => false,
    )
    if (isUp) return { url, stop }
    await Bun.sleep(50)
  }
  await stop()
  throw new Error(`docker-registry did not start:\n${await printed}`)
}

function freePort(): number {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = listener
  listener.stop(true)
  return port
}
