import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { parse, parseAllDocuments } from 'yaml'
import { buildEnv, exportLines } from './build-env.ts'
import { credentialProviderConfig, credentialResponse } from './credential-provider.ts'
import { dockerConfig, dockerLoginCommand } from './docker-login.ts'
import { pullSecret, pullSecretName } from './pull-secret.ts'
import { refreshSchedule } from './refresh-schedule.ts'
import { REFRESHER_LOGIN, refresherCronJob } from './refresher-cron-job.ts'
import { shellQuote } from './shell-quote.ts'

/** What people and clouds put into passwords; a shell would do something with each of these. */
const NASTY = [
  `robot$payments+ci`,
  `it's "quoted" \\ and $HOME \`id\` $(id)`,
  'two\nlines\r\n\ttab',
  '-n',
  '%s%n',
  '; rm -rf /',
  '',
  '密码',
]
const secret = fc.oneof(
  fc.constantFrom(...NASTY),
  fc.string({ unit: 'grapheme', maxLength: 60 }).map((text) => text.replaceAll('\0', '')),
)
/** Each run of a shell costs some milliseconds. */
const RUNS = { numRuns: 40 }

function sh(script: string, path = process.env.PATH ?? ''): string {
  const { stdout, stderr, exitCode } = Bun.spawnSync(['sh', '-c', script], {
    env: { PATH: path },
  })
  expect(stderr.toString()).toBe('')
  expect(exitCode).toBe(0)
  return stdout.toString()
}

describe('for a shell', () => {
  test('every word comes out as it went in', () => {
    fc.assert(
      fc.property(fc.array(secret, { minLength: 1, maxLength: 4 }), (words) => {
        // A line end after each: printf repeats its format.
        const printed = sh(`printf '%s\\0' ${words.map(shellQuote).join(' ')}`)
        expect(printed.split('\0').slice(0, -1)).toEqual(words)
      }),
      RUNS,
    )
  })

  test('the variables of a build reach its programs', () => {
    fc.assert(
      fc.property(secret, secret, secret, (username, password, namespace) => {
        const env = buildEnv({
          image: 'r.example.com/ns/app:1',
          host: 'r.example.com',
          namespace,
          login: { username, password },
        })
        const lines = exportLines(env)
        const printed = sh(`eval ${shellQuote(lines)}; env -0`)
        const seen = new Map(printed.split('\0').map((line) => split(line)))
        for (const [name, value] of Object.entries(env)) expect(seen.get(name)).toBe(value)
      }),
      RUNS,
    )
  })

  test('names are those of Zadig', () => {
    const use = { image: undefined, host: 'r.example.com', namespace: '', login: undefined }
    expect(exportLines(buildEnv(use))).toBe(
      "export IMAGE=''\nexport DOCKER_REGISTRY_HOST='r.example.com'\n" +
        "export DOCKER_REGISTRY_NAMESPACE=''\nexport DOCKER_REGISTRY_AK=''\n" +
        "export DOCKER_REGISTRY_SK=''\n",
    )
  })

  test('docker gets the password by its standard input only', () => {
    fc.assert(
      fc.property(secret, secret, (username, password) => {
        const command = dockerLoginCommand('r.example.com:5000', { username, password })
        // Stands in for docker: says what it was called with and what it read.
        const docker = `docker() { printf '%s\\0' "$@"; cat; }`
        const [verb, user, stdin, server, read] = sh(`${docker}\n${command}`).split('\0')
        expect([verb, user, stdin, server]).toEqual([
          'login',
          `--username=${username}`,
          '--password-stdin',
          'r.example.com:5000',
        ])
        expect(read).toBe(password)
      }),
      RUNS,
    )
    expect(sh(dockerLoginCommand('r.example.com', undefined))).toBe('')
  })
})

const split = (line: string): [string, string] => {
  const at = line.indexOf('=')
  return [line.slice(0, at), line.slice(at + 1)]
}

test('a docker configuration reads back', () => {
  fc.assert(
    fc.property(secret, secret, (name, password) => {
      const username = name.replaceAll(':', '')
      const config = JSON.parse(
        JSON.stringify(dockerConfig('r.example.com', { username, password })),
      )
      const entry = config.auths['r.example.com']
      expect(entry).toMatchObject({ username, password })
      expect(Buffer.from(entry.auth, 'base64').toString()).toBe(`${username}:${password}`)
    }),
  )
  expect(dockerConfig('r.example.com', undefined)).toEqual({ auths: {} })
})

describe('pull secrets', () => {
  const id = fc.string({
    unit: fc.constantFrom(...'0123456789abcdef'),
    minLength: 24,
    maxLength: 24,
  })
  const owner = fc.record({
    id,
    name: fc.string({ unit: 'grapheme', maxLength: 400 }),
    isDefault: fc.constant(false),
  })

  test('have names that Kubernetes takes and no two registries share', () => {
    fc.assert(
      fc.property(owner, owner, (one, other) => {
        const name = pullSecretName(one)
        expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/)
        expect(name.length).toBeLessThanOrEqual(253)
        fc.pre(one.id !== other.id)
        expect(pullSecretName(other)).not.toBe(name)
        expect(name).not.toBe('default-registry-secret')
      }),
    )
    const a = { id: 'a'.repeat(24), name: 'Harbor (主)', isDefault: false }
    expect(pullSecretName(a)).toBe(`harbor-${a.id}-registry-secret`)
    expect(pullSecretName({ ...a, isDefault: true })).toBe('default-registry-secret')
    expect(pullSecretName({ id: 'self', name: 'self', isDefault: false })).toBe(
      'self-self-registry-secret',
    )
  })

  test('hold the configuration, also as YAML', () => {
    fc.assert(
      fc.property(secret, secret, (username, password) => {
        const config = dockerConfig('r.example.com', { username, password })
        const made = pullSecret({ id: 'a'.repeat(24), name: 'x', isDefault: true }, config, {
          kubernetesNamespace: 'staging',
          expiresAt: Date.parse('2026-03-01T00:00:00Z'),
        })
        const read = parse(JSON.stringify(made))
        expect(read).toMatchObject({
          apiVersion: 'v1',
          kind: 'Secret',
          type: 'kubernetes.io/dockerconfigjson',
          metadata: {
            name: 'default-registry-secret',
            namespace: 'staging',
            annotations: { 'entrepot/expires-at': '2026-03-01T00:00:00.000Z' },
          },
        })
        const content = Buffer.from(read.data['.dockerconfigjson'], 'base64').toString()
        expect(JSON.parse(content)).toEqual(config)
      }),
    )
  })
})

describe('refreshing', () => {
  const HOUR = 3_600_000

  test.each([
    [12 * HOUR, 3 * HOUR],
    [24 * HOUR, 6 * HOUR],
    [HOUR, HOUR / 4],
    [30 * 60_000, 5 * 60_000],
    [60_000, 5 * 60_000],
    [400 * 24 * HOUR, 6 * HOUR],
  ])('a login of %d ms is fetched every %d ms', (left, every) => {
    expect(refreshSchedule(left, 'x').everyMs).toBe(every)
  })

  test('cron says just that, with gaps no longer', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 48 * HOUR }), fc.string(), (left, seed) => {
        const { cron, everyMs } = refreshSchedule(left, seed)
        const runs = minutesOf(cron)
        const gaps = runs.map((at, i) => ((runs[i + 1] ?? (runs[0] ?? 0) + 1440) - at) * 60_000)
        expect(Math.max(...gaps)).toBe(everyMs)
      }),
    )
  })

  /** The minutes of a day at which a cron line of ours runs. */
  function minutesOf(cron: string): number[] {
    const [minute = '', hour = ''] = cron.split(' ')
    const values = (field: string, end: number) => {
      const [range = '', step = '1'] = field.split('/')
      const from = range === '*' ? 0 : Number(range.split('-')[0])
      const isOne = !field.includes('/') && field !== '*'
      return Array.from({ length: end }, (_, i) => i).filter((i) =>
        isOne ? i === from : i >= from && (i - from) % Number(step) === 0,
      )
    }
    return values(hour, 24).flatMap((h) => values(minute, 60).map((m) => h * 60 + m))
  }

  const target = {
    entrepotUrl: 'https://entrepot.example.com',
    project: 'payments',
    request: { registry: 'a'.repeat(24), purpose: 'deploy', environment: `it's "staging"` },
    secretName: `harbor-${'a'.repeat(24)}-registry-secret`,
    kubernetesNamespace: 'staging',
    schedule: refreshSchedule(12 * HOUR, 'x'),
  }

  test('the manifests name one Secret, and only that', () => {
    const documents = parseAllDocuments(refresherCronJob(target)).map((one) => one.toJS())
    expect(documents.map(({ kind }) => kind)).toEqual([
      'ServiceAccount',
      'Role',
      'RoleBinding',
      'CronJob',
    ])
    const [account, role, binding, cronJob] = documents
    expect(role.rules).toEqual([
      {
        apiGroups: [''],
        resources: ['secrets'],
        resourceNames: [target.secretName],
        verbs: ['get', 'patch'],
      },
    ])
    expect(binding.roleRef.name).toBe(role.metadata.name)
    expect(binding.subjects[0]).toMatchObject({
      name: account.metadata.name,
      namespace: 'staging',
    })
    const pod = cronJob.spec.jobTemplate.spec.template.spec
    expect(pod.serviceAccountName).toBe(account.metadata.name)
    expect(pod.volumes[0].secret.secretName).toBe(REFRESHER_LOGIN)
    const env = Object.fromEntries(
      pod.containers[0].env.map(({ name, value }: { name: string; value?: string }) => [
        name,
        value,
      ]),
    )
    expect(JSON.parse(env.REQUEST)).toEqual(target.request)
    expect(cronJob.metadata.name.length).toBeLessThanOrEqual(52)
    expect(cronJob.spec.schedule).toBe(target.schedule.cron)
  })

  test('two registries have jobs of different names', () => {
    const nameOf = (id: string) => {
      const secretName = `${'long-'.repeat(40)}${id}-registry-secret`
      const [account] = parseAllDocuments(refresherCronJob({ ...target, secretName }))
      const { name } = account?.toJS().metadata ?? {}
      expect(name).toMatch(/^[a-z0-9][a-z0-9-]{0,51}$/)
      return name
    }
    expect(nameOf('a'.repeat(24))).not.toBe(nameOf('b'.repeat(24)))
  })

  test('kubelet reads the settings and the answer', () => {
    const config = parse(
      credentialProviderConfig({
        entrepotUrl: target.entrepotUrl,
        host: 'r.example.com:5000',
        args: ['use', 'payments', '--format', 'kubelet'],
        schedule: target.schedule,
      }),
    )
    expect(config.providers[0]).toMatchObject({
      name: 'entrepot',
      matchImages: ['r.example.com:5000'],
      defaultCacheDuration: '3h0m0s',
      apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
    })
    const login = { username: 'u', password: 'p' }
    const answer = (expiresAt?: number) =>
      credentialResponse('r.example.com', { ...login, expiresAt }, 0)
    expect(answer(2 * HOUR)).toEqual({
      apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
      kind: 'CredentialProviderResponse',
      cacheKeyType: 'Registry',
      cacheDuration: '1h0m0s',
      auth: { 'r.example.com': login },
    })
    expect(answer().cacheDuration).toBe('12h0m0s')
    expect(answer(-5).cacheDuration).toBe('0h0m0s')
  })
})
