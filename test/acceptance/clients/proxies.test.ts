import { expect, test } from 'bun:test'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { basic } from '../admin-api.ts'
import { imageOf, randomBytes, sha256 } from '../raw-registry.ts'
import { freePort, projectRoot, type Server, startServer, waitFor } from '../server.ts'
import { type Client, clientTimeout, describeClient } from './client.ts'

/*
 * The examples of `deploy/proxy`, as they stand there but for addresses and certificate, in the real
 * proxies in front of a real server.
 */

const MiB = 1024 * 1024

type Proxy = {
  readonly name: string
  /** Writes what the proxy needs beside the example; resolves to the command that starts it. */
  readonly prepare: (folder: string, example: string, port: number) => Promise<string[]>
  readonly file: string
}

const proxies: readonly Proxy[] = [
  {
    name: 'nginx',
    file: 'nginx.conf',
    prepare: async (folder, example, port) => {
      const site = example
        .replaceAll(/listen (?:\[::\]:)?443 ([^;]*);/g, (line, words) =>
          line.includes('[::]') ? '' : `listen 127.0.0.1:${port} ${words};`,
        )
        .replaceAll('/etc/nginx/tls/', `${folder}/`)
      await Bun.write(
        join(folder, 'main.conf'),
        `daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
         events {}
         http {
           access_log off;
           client_body_temp_path ${folder}/bodies; proxy_temp_path ${folder}/answers;
           fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
           ${site}
         }`,
      )
      return ['nginx', '-c', join(folder, 'main.conf'), '-e', join(folder, 'error.log')]
    },
  },
  {
    name: 'haproxy',
    file: 'haproxy.cfg',
    prepare: async (folder, example, port) => {
      const config = example
        .replace('bind :443', `bind 127.0.0.1:${port}`)
        .replace('/etc/haproxy/registry.pem', join(folder, 'registry.pem'))
      await Bun.write(join(folder, 'haproxy.cfg'), config)
      return ['haproxy', '-db', '-f', join(folder, 'haproxy.cfg')]
    },
  },
  {
    name: 'caddy',
    file: 'Caddyfile',
    prepare: async (folder, example, port) => {
      const config = example
        .replace('registry.example.com {', `https://127.0.0.1:${port} {`)
        .replace('{\n', `{\n\ttls ${folder}/registry.crt ${folder}/registry.key\n`)
      const off = '{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n}\n'
      await Bun.write(join(folder, 'Caddyfile'), off + config)
      return ['caddy', 'run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')]
    },
  },
]

/** The bytes that lie in a folder and below. */
async function bytesIn(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile())
  const sizes = await Promise.all(
    files.map(({ parentPath, name }) => stat(join(parentPath, name)).catch(() => undefined)),
  )
  return sizes.reduce((sum, found) => sum + (found?.size ?? 0), 0)
}

type Behind = { readonly url: string; readonly server: Server }

/** Starts the proxy before a server that trusts it, and hands both to the test. */
async function withProxy(
  proxy: Proxy,
  { folder, run }: Client,
  body: (behind: Behind) => Promise<void>,
): Promise<void> {
  const port = freePort()
  const url = `https://127.0.0.1:${port}`
  const server = await startServer({
    env: { ENTREPOT_TRUSTED_PROXIES: '127.0.0.1', ENTREPOT_PUBLIC_URL: url },
  })
  try {
    await run([
      ...['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
      ...[
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=127.0.0.1',
        '-addext',
        'subjectAltName=IP:127.0.0.1',
      ],
      ...['-keyout', 'registry.key', '-out', 'registry.crt'],
    ])
    const [key, certificate] = await Promise.all(
      ['registry.key', 'registry.crt'].map((name) => Bun.file(join(folder, name)).text()),
    )
    await Bun.write(join(folder, 'registry.pem'), `${certificate}${key}`)
    const example = await Bun.file(join(projectRoot, 'deploy/proxy', proxy.file)).text()
    const named = example.replaceAll('127.0.0.1:5000', server.host)
    expect(named).not.toBe(example)
    const command = await proxy.prepare(folder, named, port)
    const child = Bun.spawn(command, {
      cwd: folder,
      env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
      stdin: 'ignore',
      stdout: Bun.file(join(folder, 'proxy.out')),
      stderr: Bun.file(join(folder, 'proxy.err')),
    })
    try {
      await waitFor(`${proxy.name} to answer`, async () => {
        if (child.exitCode !== null) {
          throw new Error(await Bun.file(join(folder, 'proxy.err')).text())
        }
        return (await ask(`${url}/healthz`).catch(() => undefined))?.status === 200
      })
      await body({ url, server })
    } finally {
      child.kill('SIGTERM')
      await child.exited
    }
  } finally {
    await server.dispose()
  }
}

/** The certificate is of this test alone. */
const ask = (url: string | URL, init: RequestInit = {}): Promise<Response> =>
  fetch(url, { ...init, keepalive: false, tls: { rejectUnauthorized: false } })

for (const proxy of proxies) {
  describeClient(`proxy ${proxy.name}`, [proxy.name, 'openssl'], (client) => {
    test(
      'passes uploads on while they come, long headers, addresses and encoded paths',
      () =>
        withProxy(proxy, client(), async ({ url, server }) => {
          const authorization = basic(server.admin)

          const ping = await ask(`${url}/v2/`)
          expect(ping.status).toBe(401)
          expect(ping.headers.get('www-authenticate')).toStartWith(`Bearer realm="${url}/`)

          const path = '/v2/library/deep/app'
          const post = await ask(`${url}${path}/blobs/uploads/`, {
            method: 'POST',
            headers: { authorization },
          })
          expect(post.status).toBe(202)
          const location = new URL(post.headers.get('location') ?? '', url)

          // The second half is only sent when the first has arrived behind the proxy.
          const half = randomBytes(16 * MiB)
          const before = await bytesIn(server.dataDir)
          const arrived = waitFor(
            `${proxy.name} to pass on the first half of an upload`,
            async () => (await bytesIn(server.dataDir)) - before > 8 * MiB,
          )
          const patch = await ask(location, {
            method: 'PATCH',
            headers: { authorization, 'content-type': 'application/octet-stream' },
            body: new ReadableStream({
              async pull(controller) {
                controller.enqueue(half)
                await arrived
                controller.enqueue(half)
                controller.close()
              },
            }),
          })
          expect(patch.status).toBe(202)
          const whole = Buffer.concat([half, half])
          const digest = sha256(whole)
          const next = new URL(patch.headers.get('location') ?? '', url)
          next.searchParams.set('digest', digest)
          const put = await ask(next, { method: 'PUT', headers: { authorization } })
          expect(put.status).toBe(201)

          const pulled = await ask(`${url}${path}/blobs/${digest}`, { headers: { authorization } })
          expect(pulled.headers.get('content-length')).toBe(String(whole.length))
          expect(sha256(await pulled.bytes())).toBe(digest)
          const range = await ask(`${url}${path}/blobs/${digest}`, {
            headers: { authorization, range: 'bytes=5-14' },
          })
          expect(range.status).toBe(206)
          expect(Buffer.from(await range.bytes())).toEqual(whole.subarray(5, 15))

          const image = imageOf([], proxy.name)
          for (const blob of image.blobs) {
            const one = await ask(`${url}${path}/blobs/uploads/?digest=${blob.digest}`, {
              method: 'POST',
              headers: { authorization, 'content-type': 'application/octet-stream' },
              body: blob.bytes,
            })
            expect(one.status).toBe(201)
          }
          const tagged = await ask(`${url}${path}/manifests/v1`, {
            method: 'PUT',
            headers: { authorization, 'content-type': image.mediaType },
            body: image.manifest.bytes,
          })
          expect(tagged.status).toBe(201)
          const encoded = await ask(`${url}/api/v1/projects/library/repositories/deep%2Fapp`, {
            headers: { authorization },
          })
          expect(encoded.status).toBe(200)

          // Tokens of SDKs are that long; refused by the registry, not by the proxy.
          const long = await ask(`${url}/api/v1/me`, {
            headers: { authorization: `Bearer ${'x'.repeat(24_000)}` },
          })
          expect(long.status).toBe(401)
          expect(long.headers.get('content-type')).toContain('application/problem+json')
        }),
      clientTimeout,
    )
  })
}
