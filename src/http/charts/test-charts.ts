import { expect } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import {
  ADDRESS,
  basic,
  createTestAccounts,
  PASSWORD,
  type TestAccounts,
} from '../../accounts/test-accounts.ts'
import { type Charts, createCharts } from '../../charts/charts.ts'
import { CHART_TYPE } from '../../charts/media-types.ts'
import { createChartRecorder } from '../../charts/recorder.ts'
import { createLog } from '../../lib/log.ts'
import { toDigest } from '../../oci/digest.ts'
import { MEDIA_TYPE } from '../../oci/media-types.ts'
import { parseRepositoryName } from '../../oci/reference.ts'
import { createProjects } from '../../registry/projects.ts'
import { createRegistry, type LocalRegistry } from '../../registry/registry.ts'
import { verify } from '../../registry/verify.ts'
import { openFileStore } from '../../store/blobs/file-store.ts'
import type { Role } from '../../store/db/schema.ts'
import type { TestDatabase } from '../../store/db/test-databases.ts'
import type { RequestContext } from '../context.ts'
import { createChartFace } from './face.ts'

/** The face on a database of its own; `root` is a system administrator. */
export interface TestCharts {
  accounts: TestAccounts
  registry: LocalRegistry
  charts: Charts
  call(method: string, path: string, call?: Call): Promise<Answer>
  /** Uploads an archive. */
  upload(path: string, archive: Uint8Array, call?: Call): Promise<Answer>
  /** What `helm push` does with an archive; the tag is the version unless given. */
  push(repository: string, archive: Uint8Array, options: PushOptions): Promise<string>
  /** A project with one user for each role, who has its name. */
  project(name: string, options?: { isPublic?: boolean; quota?: number }): Promise<number>
  /** A project of a name that no other test has. */
  fresh(options?: { isPublic?: boolean; quota?: number }): Promise<string>
  /** `index.yaml` of a project or folder. */
  indexOf(repository: string, root?: string): Promise<TestIndex>
  /** `name version` of all its entries, in their order. */
  listed(repository: string): Promise<string[]>
  /** Lines of the log: why something is not listed, and faults. */
  log: { msg: string; reason?: string }[]
  /** Problems that `verify` finds. */
  problems(): Promise<string[]>
  remove(): Promise<void>
}

export interface TestIndex {
  serverInfo: object
  entries: Record<string, { version: string; digest: string; urls: string[]; created: string }[]>
}

interface PushOptions {
  tag: string
  /** Of the config; that of the archive unless given. */
  config?: object
  /** More layers. */
  provenance?: Uint8Array
}

interface Call {
  /** A user with the usual password, or a whole `Authorization`; `root` when left out. */
  as?: string | null
  body?: Uint8Array | FormData | string
  headers?: Record<string, string>
}

interface Answer {
  status: number
  headers: Headers
  bytes: Uint8Array
  text: string
}

export const ROLES: readonly Role[] = ['guest', 'developer', 'maintainer', 'admin']

export async function createTestCharts(create?: () => Promise<TestDatabase>): Promise<TestCharts> {
  const accounts = await createTestAccounts({}, create)
  const { db, clock } = accounts
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-charts-'))
  const store = await openFileStore(folder)
  const lines: TestCharts['log'] = []
  const log = createLog({
    level: 'info',
    format: 'json',
    output: (text) => {
      for (const line of text.trim().split('\n')) lines.push(JSON.parse(line))
    },
  })
  const root = await accounts.createUser('root', { isAdmin: true })
  for (const role of ROLES) await accounts.createUser(role)
  await accounts.createUser('stranger')
  const registry = createRegistry({
    db,
    store,
    clock,
    authorizer: accounts.authorizer,
    projects: createProjects({ db, clock }),
    settings: { sparse: false },
    writer: 'test',
    watch: createChartRecorder({ clock, log }),
  })
  const charts = createCharts({ db, registry })
  const face = createChartFace({
    charts,
    registry,
    accounts,
    clock,
    log,
    settings: { bodyIdleMs: 5_000, publicByDefault: false },
  })
  const pusher = { account: root, mayCreateProject: true, publicProject: false }

  async function call(method: string, path: string, asked: Call = {}): Promise<Answer> {
    const { as = 'root', body, headers = {} } = asked
    const [bare = '', search = ''] = path.split('?')
    const init =
      body === undefined ? {} : { body: body instanceof Uint8Array ? Buffer.from(body) : body }
    const request = new Request('http://registry.example.com/', { method, headers, ...init })
    if (as !== null) {
      request.headers.set('authorization', as.includes(' ') ? as : basic(as, PASSWORD))
    }
    const context: RequestContext = {
      request,
      method,
      path: bare,
      query: new URLSearchParams(search),
      address: ADDRESS,
      requestId: 'request-1',
      origin: 'http://registry.example.com',
      host: 'registry.example.com',
      route: 'unknown',
      received: 0,
      keepOpen() {},
    }
    const response = await Promise.resolve(face.handle(context)).catch((error) =>
      face.renderError(error, context),
    )
    const bytes = new Uint8Array(await response.arrayBuffer())
    const { status } = response
    return { status, headers: response.headers, bytes, text: new TextDecoder().decode(bytes) }
  }

  async function blob(repository: string, mediaType: string, bytes: Uint8Array) {
    const digest = toDigest('sha256', Bun.CryptoHasher.hash('sha256', bytes, 'hex'))
    await registry.uploads.single(
      { repository: nameOf(repository), account: root },
      {
        digest,
        body: (async function* () {
          yield bytes
        })(),
        authorizeCommit: async () => pusher,
      },
    )
    return { mediaType, digest, size: bytes.length }
  }

  async function project(name: string, options: { isPublic?: boolean; quota?: number } = {}) {
    const { isPublic = false, quota = -1 } = options
    const { id } = await db.transaction((tx) =>
      registry.projects.create(tx, { name, isPublic, quota, createdBy: root }),
    )
    for (const role of ROLES) {
      const account = await accounts.users.find(role)
      if (account) await accounts.members.put(id, account.id, role)
    }
    return id
  }

  async function indexOf(repository: string, base = '/charts'): Promise<TestIndex> {
    const { status, text } = await call('GET', `${base}/${repository}/index.yaml`)
    expect([status, text]).toEqual([200, text])
    return parse(text, { version: '1.1' })
  }

  let projects = 0

  return {
    accounts,
    registry,
    charts,
    call,
    project,
    indexOf,

    async fresh(options) {
      const name = `p${++projects}`
      await project(name, options)
      return name
    },

    async listed(repository) {
      const { entries } = await indexOf(repository)
      return Object.entries(entries).flatMap(([name, versions]) =>
        versions.map(({ version }) => `${name} ${version}`),
      )
    },
    upload: (path, body, asked) => call('POST', path, { ...asked, body }),

    async push(repository, archive, { tag, config, provenance }) {
      const said = config ?? { name: repository.split('/').at(-1), version: tag.replace('_', '+') }
      const layers = [await blob(repository, CHART_TYPE.archive, archive)]
      if (provenance) layers.push(await blob(repository, CHART_TYPE.provenance, provenance))
      const { digest } = await registry.manifests.put({
        name: nameOf(repository),
        reference: { kind: 'tag', tag },
        tags: [],
        contentType: MEDIA_TYPE.ociManifest,
        bytes: Buffer.from(
          JSON.stringify({
            schemaVersion: 2,
            mediaType: MEDIA_TYPE.ociManifest,
            config: await blob(repository, CHART_TYPE.config, Buffer.from(JSON.stringify(said))),
            layers,
          }),
        ),
        pusher,
      })
      return digest
    },

    log: lines,
    async problems() {
      return (await verify({ db, store }, { deep: true, sparse: false })).problems
    },
    async remove() {
      await accounts.remove()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export function nameOf(raw: string) {
  const name = parseRepositoryName(raw)
  if (!name) throw new Error(`not a repository name: ${raw}`)
  return name
}

/** Where the ChartMuseum API of a project or folder is. */
export const api = (repository: string): string => `/charts/api/${repository}/charts`
