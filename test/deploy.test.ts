import { describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Glob } from 'bun'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { transferRoutes } from '../src/http/api/transfers.ts'
import { projectRoot, startServer } from './acceptance/server.ts'

/* What lies in `deploy/`, as far as it can be tried without Docker, a cluster and the proxies. */

const deploy = join(projectRoot, 'deploy')
const chart = join(deploy, 'helm/entrepot')
const helm = join(projectRoot, '.tools/bin/helm')
const bun = join(projectRoot, 'node_modules/.bin/bun')

const read = (path: string) => Bun.file(join(deploy, path)).text()

/** The documents of a YAML text; throws where it is none. */
function documentsOf(text: string): unknown[] {
  return parseAllDocuments(text, { merge: true }).map((document) => {
    if (document.errors[0]) throw document.errors[0]
    return document.toJS()
  })
}

/** Every `ENTREPOT_…` that stands in a text. */
const settingsIn = (text: string): string[] => [
  ...new Set([...text.matchAll(/\bENTREPOT_[A-Z0-9_]+/g)].map(([name]) => name)),
]

describe('files', () => {
  test('every YAML file outside of templates is YAML', async () => {
    const paths = [...new Glob('**/*.yaml').scanSync(deploy)].filter(
      (path) => !path.includes('templates/'),
    )
    expect(paths.length).toBeGreaterThanOrEqual(4)
    for (const path of paths) expect(documentsOf(await read(path))).not.toEqual([])
  })

  test('every variable that is set is a setting', async () => {
    const reference = await Bun.file(join(projectRoot, 'docs/configuration.md')).text()
    // ENTREPOT_CONFIG names the file, and the last is an example of a name to avoid.
    const known = new Set([...settingsIn(reference), 'ENTREPOT_CONFIG', 'ENTREPOT_PORT'])
    const paths = [...new Glob('**/*').scanSync({ cwd: deploy, onlyFiles: true })]
    for (const path of paths) {
      const unknown = settingsIn(await read(path)).filter((name) => !known.has(name))
      expect([path, unknown.filter((name) => name !== 'ENTREPOT_')]).toEqual([path, []])
    }
  })
})

const Service = z.object({
  image: z.string(),
  build: z.object({ context: z.string(), dockerfile: z.string() }).optional(),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).optional(),
  environment: z.record(z.string(), z.string()).optional(),
  volumes: z.array(z.string()).optional(),
  configs: z.array(z.object({ source: z.string(), target: z.string() })).optional(),
  read_only: z.boolean().optional(),
})

test('the compose file names only what it defines, and no secret', async () => {
  const text = await read('compose.yaml')
  const compose = z
    .object({
      services: z.record(z.string(), Service),
      volumes: z.record(z.string(), z.unknown()),
      configs: z.record(z.string(), z.object({ content: z.string() })),
    })
    .parse(documentsOf(text)[0])
  const { services, volumes, configs } = compose
  for (const service of Object.values(services)) {
    for (const name of Object.keys(service.depends_on ?? {})) expect(services).toHaveProperty(name)
    for (const volume of service.volumes ?? []) {
      expect(Object.keys(volumes)).toContain(volume.split(':')[0] ?? '')
    }
    for (const { source } of service.configs ?? []) expect(configs).toHaveProperty(source)
    for (const [name, value] of Object.entries(service.environment ?? {})) {
      if (/PASSWORD|SECRET|SEALING|ACCESS_KEY/.test(name)) expect(value).toStartWith('${')
    }
  }
  const { build, read_only } = services.entrepot ?? {}
  expect(read_only).toBe(true)
  expect(existsSync(join(deploy, build?.context ?? '', build?.dockerfile ?? ''))).toBe(true)
  const wanted = [...text.matchAll(/\$\{([A-Z0-9_]+):\?/g)].map(([, name]) => name ?? '')
  const example = await read('compose.env.example')
  for (const name of wanted) expect(example).toContain(`\n${name}=`)
})

test('the runner is started with flags that there are, and may do little', async () => {
  const help = Bun.spawnSync([bun, join(projectRoot, 'src/main.ts'), 'runner', '--help'])
  const flags = new Set(help.stdout.toString().match(/--[a-z-]+/g))
  const manifests = z.array(Manifest).parse(documentsOf(await read('runner/kubernetes.yaml')))
  expect(manifests.map(({ kind }) => kind).sort()).toEqual([
    ...['Deployment', 'NetworkPolicy', 'PersistentVolumeClaim', 'ServiceAccount'],
  ])
  const pod = JSON.stringify(manifests.find(({ kind }) => kind === 'Deployment'))
  for (const needed of [
    '"runAsNonRoot":true',
    '"readOnlyRootFilesystem":true',
    '"allowPrivilegeEscalation":false',
    '"drop":["ALL"]',
    '"automountServiceAccountToken":false',
  ]) {
    expect(pod).toContain(needed)
  }
  const unit = await read('systemd/entrepot-runner.service')
  for (const text of [pod, /^ExecStart=(.*)$/m.exec(unit)?.[1] ?? '']) {
    const used = text.match(/--[a-z-]+/g) ?? []
    expect(used.length).toBeGreaterThanOrEqual(4)
    expect(used.filter((flag) => !flags.has(flag))).toEqual([])
  }
})

test('the dashboard and the alerts know only metrics that there are', async () => {
  const server = await startServer()
  try {
    const answer = await fetch(`${server.url}/metrics`, {
      headers: { authorization: `Basic ${btoa(`admin:${server.admin.password}`)}` },
    })
    expect(answer.status).toBe(200)
    const families = [...(await answer.text()).matchAll(/^# TYPE (\S+) (\S+)$/gm)]
    const there = new Set(
      families.flatMap(([, name = '', kind]) =>
        kind === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
      ),
    )
    for (const path of ['grafana/entrepot.json', 'prometheus/alerts.yaml']) {
      const named = (await read(path)).match(/\b(?:entrepot|process)_[a-z0-9_]+/g) ?? []
      expect(named.length).toBeGreaterThan(4)
      expect([path, named.filter((name) => !there.has(name))]).toEqual([path, []])
    }
  } finally {
    await server.dispose()
  }
})

test('waiting for a transfer is not taken for slowness', async () => {
  const left = (await read('prometheus/alerts.yaml')).match(/route!="([^"]+)"/)
  expect(left?.[1]).toBe(`api.${transferRoutes.get.name}`)
})

test('each alert is explained', async () => {
  const operations = await Bun.file(join(projectRoot, 'docs/operations.md')).text()
  const names = [...(await read('prometheus/alerts.yaml')).matchAll(/alert: (\w+)/g)]
  expect(names.length).toBeGreaterThan(0)
  for (const [, name] of names) expect(operations).toContain(`**${name}**`)
})

const Manifest = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
  data: z.record(z.string(), z.string()).optional(),
})

/** Runs helm on the chart with values of this kind: `replicaCount=3`. */
function template(...values: string[]) {
  const { exitCode, stdout, stderr } = Bun.spawnSync([
    ...[helm, 'template', 'shop', chart, '--kube-version', '1.30.0'],
    ...values.flatMap((value) => ['--set', value]),
  ])
  const manifests = exitCode === 0 ? documentsOf(stdout.toString()).filter(Boolean) : []
  return { exitCode, problem: stderr.toString(), all: z.array(Manifest).parse(manifests) }
}

const REPLICAS = [
  'replicaCount=3',
  'database.existingSecret=db',
  'storage.s3.bucket=blobs',
  'sealing.existingSecret=seal',
]

describe.skipIf(!existsSync(helm))('the Helm chart (helm)', () => {
  const kinds = (all: { kind: string }[]) => all.map(({ kind }) => kind).sort()
  const workload = (all: z.output<typeof Manifest>[]) =>
    JSON.stringify(all.find(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet'))

  test('passes the linter', () => {
    const { exitCode, stdout } = Bun.spawnSync([helm, 'lint', '--strict', chart])
    expect([exitCode, stdout.toString()]).toEqual([0, expect.stringContaining('0 chart(s) failed')])
  })

  test('is one replica with a volume by itself', () => {
    const { all, problem } = template()
    expect(problem).toBe('')
    expect(kinds(all)).toEqual([
      ...['ConfigMap', 'PersistentVolumeClaim', 'Pod', 'Service', 'ServiceAccount', 'StatefulSet'],
    ])
    expect(workload(all)).toContain('"podManagementPolicy":"Parallel"')
    expect(workload(all)).toContain('"readOnlyRootFilesystem":true')
  })

  test('is many replicas without a volume when it has a database, a bucket and a key', () => {
    const { all } = template(
      ...REPLICAS,
      'autoscaling.enabled=true',
      'networkPolicy.enabled=true',
      'ingress.enabled=true',
      'ingress.tlsSecret=tls',
      'metrics.existingSecret=metrics',
      'metrics.serviceMonitor.enabled=true',
      'trustedProxies={10.0.0.0/8,fd00::/8}',
    )
    expect(kinds(all)).toEqual([
      ...['ConfigMap', 'Deployment', 'HorizontalPodAutoscaler', 'Ingress', 'NetworkPolicy'],
      ...['Pod', 'PodDisruptionBudget', 'Service', 'ServiceAccount', 'ServiceMonitor'],
    ])
    expect(workload(all)).toContain('"value":"10.0.0.0/8,fd00::/8"')
    expect(workload(all)).toContain('"value":"https://registry.example.com"')
    for (const [secret, variable] of [
      ['db', 'ENTREPOT_DATABASE_URL'],
      ['seal', 'ENTREPOT_SEALING_KEY'],
      ['metrics', 'ENTREPOT_METRICS_TOKEN'],
    ]) {
      expect(workload(all)).toMatch(new RegExp(`"name":"${secret}","items":.{9,30}"${variable}"`))
      expect(workload(all)).toContain(`"name":"${variable}_FILE"`)
    }
  })

  test('refuses what would not work', () => {
    expect(template('replicaCount=2').problem).toContain('needs database.existingSecret')
    expect(template('autoscaling.enabled=true').problem).toContain('needs database.existingSecret')
    expect(template('metrics.serviceMonitor.enabled=true').problem).toContain('existingSecret')
  })

  test.each([
    ['replicas=3', 'replicas'],
    ['replicaCount=three', 'replicaCount'],
    ['publicUrl=registry.example.com', 'publicUrl'],
    ['storage.s3.redirect=sometimes', 'redirect'],
    ['database.existingsecret=db', 'existingsecret'],
    ['service.port=99999', 'port'],
  ])('names the value that is wrong: %s', (value, name) => {
    const { exitCode, problem } = template(value)
    // Helm's own words differ from version to version.
    expect([exitCode, problem]).toEqual([1, expect.stringContaining(name)])
    expect(problem).toContain('schema')
  })

  test('the schema knows every value', async () => {
    const Schema = z.object({ properties: z.record(z.string(), z.unknown()) })
    const values = z
      .record(z.string(), z.unknown())
      .parse(documentsOf(await read('helm/entrepot/values.yaml'))[0])
    const schema = Schema.parse(await Bun.file(join(chart, 'values.schema.json')).json())
    // Helm sets `global` where this chart is part of another.
    expect(Object.keys(schema.properties).sort()).toEqual(['global', ...Object.keys(values)].sort())
  })

  test('writes settings that Entrepot takes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'entrepot-chart-'))
    try {
      for (const values of [[], ['config.uploads.expireAfter=72h', 'config.log.level=warn']]) {
        const map = template(...values).all.find(({ kind }) => kind === 'ConfigMap')
        const file = join(folder, 'entrepot.yaml')
        await Bun.write(file, map?.data?.['entrepot.yaml'] ?? 'missing')
        const check = Bun.spawnSync(
          [bun, join(projectRoot, 'src/main.ts'), 'config', 'check', '--config', file],
          // Settings of whoever runs the tests are not the chart's.
          { cwd: folder, env: { PATH: process.env.PATH ?? '' } },
        )
        expect([check.exitCode, check.stderr.toString()]).toEqual([0, ''])
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
