import { describe, expect, test } from 'bun:test'
import { TOML } from 'bun'
import { type TrustSource, trustFor } from './trust.ts'

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----'
const OTHER = PEM.replace('MIIB', 'MIIC')

const source = (address: string, more: Partial<TrustSource> = {}): TrustSource => ({
  id: 'a'.repeat(24),
  name: 'x',
  provider: 'native',
  address,
  verifyTls: true,
  ...more,
})

const SOURCES = [
  source('https://good.example.com'),
  source('https://own-ca.example.com:5443/', { caCertificate: `${PEM}\r\n` }),
  source('https://unverified.example.com', { verifyTls: false }),
  source('http://plain.example.com:5000', { caCertificate: PEM }),
]

/** path → content, of one client. */
function filesOf(client: string, sources: TrustSource[] = SOURCES) {
  const { clients } = trustFor(sources)
  const found = clients.find((one) => one.client === client)
  if (!found) throw new Error(`nothing for ${client}`)
  return {
    files: Object.fromEntries(found.files.map(({ path, content }) => [path, content])),
    action: found.apply.action,
  }
}

test('what is trusted already needs nothing', () => {
  expect(trustFor([source('https://good.example.com')])).toEqual({ hosts: [], clients: [] })
  // Clouds speak TLS whatever their examples print.
  expect(trustFor([source('http://swr.example.com', { provider: 'swr' })]).hosts).toEqual([])
})

test('docker', () => {
  const { files, action } = filesOf('docker')
  expect(JSON.parse(files['/etc/docker/daemon.json'] ?? '')).toEqual({
    'insecure-registries': ['plain.example.com:5000', 'unverified.example.com'],
  })
  expect(files['/etc/docker/certs.d/own-ca.example.com:5443/ca.crt']).toBe(`${PEM}\n`)
  expect(Object.keys(files)).toHaveLength(2)
  expect(action).toBe('reload')
  expect(filesOf('docker', SOURCES.slice(0, 2)).action).toBe('none')
})

test('containerd', () => {
  const { files, action } = filesOf('containerd')
  const read = (host: string) =>
    TOML.parse(files[`/etc/containerd/certs.d/${host}/hosts.toml`] ?? '')
  const capabilities = ['pull', 'resolve', 'push']
  expect(read('own-ca.example.com:5443')).toEqual({
    server: 'https://own-ca.example.com:5443',
    host: {
      'https://own-ca.example.com:5443': {
        capabilities,
        ca: '/etc/containerd/certs.d/own-ca.example.com:5443/ca.crt',
      },
    },
  })
  expect(read('unverified.example.com')).toEqual({
    server: 'https://unverified.example.com',
    host: { 'https://unverified.example.com': { capabilities, skip_verify: true } },
  })
  expect(read('plain.example.com:5000')).toEqual({
    server: 'http://plain.example.com:5000',
    host: { 'http://plain.example.com:5000': { capabilities } },
  })
  expect(Object.keys(files)).toHaveLength(4)
  expect(action).toBe('none')
})

test('podman', () => {
  const { files } = filesOf('podman')
  expect(TOML.parse(files['/etc/containers/registries.conf.d/50-entrepot.conf'] ?? '')).toEqual({
    registry: [
      { location: 'plain.example.com:5000', insecure: true },
      { location: 'unverified.example.com', insecure: true },
    ],
  })
  expect(files['/etc/containers/certs.d/own-ca.example.com:5443/ca.crt']).toBe(`${PEM}\n`)
})

test('BuildKit', () => {
  const { files, action } = filesOf('buildkit')
  expect(TOML.parse(files['/etc/buildkit/buildkitd.toml'] ?? '')).toEqual({
    registry: {
      'own-ca.example.com:5443': { ca: ['/etc/buildkit/certs.d/own-ca.example.com:5443/ca.crt'] },
      'plain.example.com:5000': { http: true },
      'unverified.example.com': { insecure: true },
    },
  })
  expect(action).toBe('restart')
})

describe('records of one host', () => {
  test('are one host', () => {
    const both = [
      source('https://r.example.com', { caCertificate: PEM }),
      source('https://r.example.com/', { caCertificate: OTHER }),
      source('https://r.example.com', { caCertificate: PEM }),
    ]
    const { hosts } = trustFor(both)
    expect(hosts).toHaveLength(1)
    expect(hosts[0]?.ca).toBe(`${PEM}\n${OTHER}\n`)
  })

  test('need what any of them needs', () => {
    const both = [
      source('https://r.example.com'),
      source('https://r.example.com', { verifyTls: false }),
    ]
    expect(trustFor(both).hosts).toMatchObject([{ host: 'r.example.com', insecure: true }])
  })
})

test('docker hub behind an own CA is known by its own names', () => {
  const hub = source('https://index.docker.io', { provider: 'dockerhub', caCertificate: PEM })
  const { files } = filesOf('containerd', [hub])
  expect(files['/etc/containerd/certs.d/docker.io/hosts.toml']).toContain(
    'server = "https://registry-1.docker.io"',
  )
})
