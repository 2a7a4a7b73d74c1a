import { expect, test } from 'bun:test'
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { basic } from './admin-api.ts'
import { type Client, clientTimeout, describeClient } from './clients/client.ts'
import { sha256 } from './raw-registry.ts'

/*
 * One store for charts: what helm pushes over OCI is in the classic repository and the other way
 * round, byte for byte.
 */

const VERSIONS = ['1.2.3', '1.2.4+build.7', '2.0.0-rc.1']

/** A chart whose archive is `<name>-<version>.tgz` in the folder of the test. */
async function makeChart({ run, folder }: Client, helm: string, name: string, versions: string[]) {
  await run([helm, 'create', name])
  await writeFile(join(folder, name, 'README.md'), `# ${name}\n\nA harbour of its own.\n`)
  // Numbers and words that plain YAML would take for something else.
  await appendFile(
    join(folder, name, 'Chart.yaml'),
    'keywords: ["yes", "1.10", "2026-01-01"]\nannotations: {"a/b": "x: y # z"}\n',
  )
  for (const version of versions) await run([helm, 'package', name, '--version', version])
}

async function login({ run, server, user }: Client, helm: string) {
  const flags = ['--plain-http', '-u', user.username, '--password-stdin']
  await run([helm, 'registry', 'login', server.host, ...flags], { input: user.password })
}

const call = (
  { server, user }: Client,
  method: string,
  path: string,
  body?: FormData | Uint8Array<ArrayBuffer>,
) =>
  fetch(new URL(path, server.url), {
    method,
    headers: { authorization: basic(user) },
    ...(body === undefined ? {} : { body }),
  })

/** As much of a Kubernetes cluster as helm asks for before a dry run: what kinds it knows. */
function startCluster() {
  const resource = (kind: string) => ({ name: `${kind.toLowerCase()}s`, kind, namespaced: true })
  const resources = (groupVersion: string, kinds: string[]) => ({
    ...{ kind: 'APIResourceList', groupVersion, resources: kinds.map(resource) },
  })
  const apps = { groupVersion: 'apps/v1', version: 'v1' }
  const answers: Record<string, object> = {
    '/api': { kind: 'APIVersions', versions: ['v1'] },
    '/apis': { kind: 'APIGroupList', groups: [{ name: 'apps', versions: [apps] }] },
    '/api/v1': resources('v1', ['ServiceAccount', 'Service', 'Pod']),
    '/apis/apps/v1': resources('apps/v1', ['Deployment']),
  }
  const version = { major: '1', minor: '33', gitVersion: 'v1.33.0' }
  const fetch = ({ url, method }: Request) => {
    const { pathname } = new URL(url)
    // Whether something is there already, which it is not.
    if (pathname.includes('/namespaces/') || method !== 'GET')
      return new Response('{}', { status: 404 })
    return Response.json(answers[pathname] ?? version)
  }
  return Bun.serve({ hostname: '127.0.0.1', port: 0, fetch })
}

for (const helm of ['helm', 'helm4']) {
  describeClient(`charts by ${helm}`, [helm], (client) => {
    test(
      'what is pushed over OCI is in the repository',
      async () => {
        const { run, folder, user, server, repository } = client()
        const [project] = repository.split('/')
        await login(client(), helm)
        await makeChart(client(), helm, 'harbour', VERSIONS)
        for (const version of VERSIONS) {
          const file = join(folder, `harbour-${version}.tgz`)
          await run([helm, 'push', file, `oci://${server.host}/${project}`, '--plain-http'])
        }
        const credentials = ['--username', user.username, '--password', user.password]
        const url = `${server.url}/charts/${project}`
        await run([helm, 'repo', 'add', 'ours', url, ...credentials])
        await run([helm, 'repo', 'update'])

        const list = await run([helm, 'search', 'repo', 'ours/', '-l', '--devel', '-o', 'json'])
        const found = JSON.parse(list) as { name: string; version: string }[]
        expect(found.map(({ name, version }) => `${name} ${version}`)).toEqual(
          VERSIONS.toReversed().map((version) => `ours/harbour ${version}`),
        )
        for (const version of VERSIONS) {
          const target = ['--version', version, '--destination', join(folder, 'pulled')]
          await mkdir(join(folder, 'pulled'), { recursive: true })
          await run([helm, 'pull', 'ours/harbour', ...target])
          const pulled = await readFile(join(folder, 'pulled', `harbour-${version}.tgz`))
          expect(sha256(pulled)).toBe(
            sha256(await readFile(join(folder, `harbour-${version}.tgz`))),
          )
        }
        expect(await run([helm, 'show', 'chart', 'ours/harbour'])).toContain(
          'version: 1.2.4+build.7',
        )
        expect(await run([helm, 'show', 'readme', 'ours/harbour'])).toContain(
          'A harbour of its own.',
        )
        expect(await run([helm, 'template', 'release', 'ours/harbour'])).toContain(
          'kind: Deployment',
        )
        const cluster = startCluster()
        try {
          const install = [
            'install',
            'release',
            'ours/harbour',
            '--dry-run=client',
            '--disable-openapi-validation',
          ]
          const flags = ['--kube-apiserver', cluster.url.href]
          const planned = await run([helm, ...install, ...flags])
          expect(planned).toContain('STATUS: pending-install')
          expect(planned).toContain('kind: Deployment')
        } finally {
          await cluster.stop(true)
        }
      },
      clientTimeout,
    )

    test(
      'what comes by the ChartMuseum API is an OCI chart',
      async () => {
        const { run, folder, server, repository } = client()
        const [project] = repository.split('/')
        await makeChart(client(), helm, 'quay', ['0.1.0'])
        const bytes = await readFile(join(folder, 'quay-0.1.0.tgz'))
        // As `helm cm-push` does: the index says where the API is.
        const index = await (await call(client(), 'GET', `/charts/${project}/index.yaml`)).text()
        const { contextPath } = JSON.parse(/^serverInfo: (.*)$/m.exec(index)?.[1] ?? '')
        const form = new FormData()
        form.append('chart', new Blob([bytes]), 'quay-0.1.0.tgz')
        const path = `${contextPath}/api/${project}/charts`
        const saved = await call(client(), 'POST', path, form)
        expect([saved.status, await saved.json()]).toEqual([201, { saved: true }])

        await login(client(), helm)
        await mkdir(join(folder, 'oci'), { recursive: true })
        const chart = `oci://${server.host}/${project}/quay`
        await run([helm, 'pull', chart, '--plain-http', '--destination', join(folder, 'oci')])
        expect(sha256(await readFile(join(folder, 'oci/quay-0.1.0.tgz')))).toBe(sha256(bytes))
        const shown = await run([helm, 'show', 'readme', chart, '--plain-http'])
        expect(shown).toContain('A harbour of its own.')
        expect(await run([helm, 'template', 'release', chart, '--plain-http'])).toContain(
          'kind: Deployment',
        )
      },
      clientTimeout,
    )

    test(
      'a chart in a folder has a repository there',
      async () => {
        const { run, folder, user, server, repository } = client()
        const [project] = repository.split('/')
        await login(client(), helm)
        await makeChart(client(), helm, 'pier', ['3.0.0'])
        const target = `oci://${server.host}/${project}/charts/north`
        await run([helm, 'push', join(folder, 'pier-3.0.0.tgz'), target, '--plain-http'])
        const credentials = ['--username', user.username, '--password', user.password]
        const url = `${server.url}/charts/${project}/charts/north`
        await run([helm, 'repo', 'add', 'north', url, ...credentials])
        expect(await run([helm, 'show', 'chart', 'north/pier'])).toContain('version: 3.0.0')
        const above = await call(client(), 'GET', `/charts/${project}/index.yaml`)
        expect(await above.text()).not.toContain('pier')
      },
      clientTimeout,
    )
  })

  describeClient(`signed charts by ${helm}`, [helm, 'gpg'], (client) => {
    test(
      'verifies with the provenance file, pushed either way',
      async () => {
        const { run, folder, user, server, repository } = client()
        const [project] = repository.split('/')
        const env = { GNUPGHOME: join(folder, 'gnupg') }
        await mkdir(env.GNUPGHOME, { mode: 0o700 })
        const gpg = ['gpg', '--batch', '--pinentry-mode', 'loopback', '--passphrase', '']
        await run([...gpg, '--quick-generate-key', 'Harbour <h@example.com>', 'rsa2048'], { env })
        for (const which of ['--export', '--export-secret-keys']) {
          const ring = which === '--export' ? 'public.gpg' : 'secret.gpg'
          await run([...gpg, '--output', join(folder, ring), which], { env })
        }
        await run([helm, 'create', 'signed'])
        const key = ['--sign', '--key', 'Harbour', '--keyring', join(folder, 'secret.gpg')]
        for (const version of ['1.0.0', '1.1.0']) {
          await run([helm, 'package', 'signed', '--version', version, ...key], { input: '\n' })
        }
        await login(client(), helm)
        const oci = `oci://${server.host}/${project}`
        await run([helm, 'push', join(folder, 'signed-1.0.0.tgz'), oci, '--plain-http'])
        const form = new FormData()
        for (const [field, file] of [
          ['chart', 'signed-1.1.0.tgz'],
          ['prov', 'signed-1.1.0.tgz.prov'],
        ] as const) {
          form.append(field, new Blob([await readFile(join(folder, file))]), file)
        }
        const saved = await call(client(), 'POST', `/charts/api/${project}/charts`, form)
        expect([saved.status, await saved.json()]).toEqual([201, { saved: true }])

        const credentials = ['--username', user.username, '--password', user.password]
        await run([
          helm,
          'repo',
          'add',
          'signed',
          `${server.url}/charts/${project}`,
          ...credentials,
        ])
        for (const version of ['1.0.0', '1.1.0']) {
          for (const [from, plain] of [
            ['signed/signed', []],
            [`${oci}/signed`, ['--plain-http']],
          ] as const) {
            const to = join(folder, crypto.randomUUID())
            await mkdir(to)
            const verify = ['--verify', '--keyring', join(folder, 'public.gpg')]
            await run([
              ...[helm, 'pull', from, '--version', version, '--destination', to],
              ...[...verify, ...plain],
            ])
            const name = `signed-${version}.tgz.prov`
            expect(await readFile(join(to, name))).toEqual(await readFile(join(folder, name)))
          }
        }
      },
      clientTimeout,
    )
  })
}

describeClient('charts by oras', ['oras', 'helm'], (client) => {
  test(
    'pulls the files of a chart that came by the ChartMuseum API',
    async () => {
      const { run, folder, server, user, repository } = client()
      const [project] = repository.split('/')
      await makeChart(client(), 'helm', 'dock', ['1.0.0+a.1'])
      const bytes = await readFile(join(folder, 'dock-1.0.0+a.1.tgz'))
      const saved = await call(client(), 'POST', `/charts/api/${project}/charts`, bytes)
      expect(saved.status).toBe(201)
      const password = ['-u', user.username, '--password-stdin']
      await run(['oras', 'login', '--plain-http', ...password, server.host], {
        input: user.password,
      })
      const reference = `${server.host}/${project}/dock:1.0.0_a.1`
      const manifest = await run(['oras', 'manifest', 'fetch', '--plain-http', reference])
      const { config, layers } = JSON.parse(manifest) as {
        config: { mediaType: string }
        layers: { digest: string; mediaType: string }[]
      }
      expect(config.mediaType).toBe('application/vnd.cncf.helm.config.v1+json')
      expect(layers.map(({ digest }) => digest)).toEqual([sha256(bytes)])
      const blob = ['--output', join(folder, 'dock.tgz')]
      const target = `${server.host}/${project}/dock@${layers[0]?.digest}`
      await run(['oras', 'blob', 'fetch', '--plain-http', ...blob, target])
      expect(sha256(await readFile(join(folder, 'dock.tgz')))).toBe(sha256(bytes))
    },
    clientTimeout,
  )
})
