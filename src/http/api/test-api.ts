import { expect } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  ADDRESS,
  basic,
  createTestAccounts,
  PASSWORD,
  type TestAccounts,
  testSealer,
} from '../../accounts/test-accounts.ts'
import { type Charts, createCharts } from '../../charts/charts.ts'
import { createChartRecorder } from '../../charts/recorder.ts'
import { createBrowse } from '../../hub/browse/browse.ts'
import { createConnections } from '../../hub/connections.ts'
import { createChecks } from '../../hub/health/checks.ts'
import { createRegistries, type Registries } from '../../hub/registries/registries.ts'
import { createRunnerService } from '../../hub/runners/service.ts'
import { transfersOf } from '../../hub/transfers/transfer-rows.ts'
import { createHandouts, type HandoutsDeps } from '../../hub/use/handouts.ts'
import { createJobQueue, type JobQueue } from '../../jobs/queue.ts'
import { systemClock } from '../../lib/clock.ts'
import { createGuardedFetch } from '../../lib/guarded-fetch.ts'
import { createLog } from '../../lib/log.ts'
import { MEDIA_TYPE } from '../../oci/media-types.ts'
import { parseReference, parseRepositoryName } from '../../oci/reference.ts'
import { createProjects } from '../../registry/projects.ts'
import { createRegistry, type LocalRegistry } from '../../registry/registry.ts'
import { openFileStore } from '../../store/blobs/file-store.ts'
import type { TestDatabase } from '../../store/db/test-databases.ts'
import type { RequestContext } from '../context.ts'
import { createApi } from './api.ts'

/** The face on a database of its own; `root` is a system administrator. */
export interface TestApi {
  accounts: TestAccounts
  registry: LocalRegistry
  charts: Charts
  registries: Registries
  queue: JobQueue
  call(method: string, path: string, call?: Call): Promise<Answer>
  /** As `call`, failing unless the status is `status`. */
  expect(status: number, method: string, path: string, call?: Call): Promise<Answer>
  /** Puts an image without blobs under a tag. Returns its digest. */
  push(repository: string, tag: string, content?: object): Promise<string>
  /** As it comes, with a body that may go on for ever. */
  respond(method: string, path: string, asked?: Call): Promise<Response>
  /** What the process does with its faces before it ends. */
  stop(): void
  /** Actions of the audit, oldest first, with their resources. */
  audited(): Promise<string[]>
  /** What the face has logged as its own fault. */
  failures: string[]
  remove(): Promise<void>
}

interface Call {
  /** A user with the usual password, or a whole `Authorization`; none: anonymous. */
  as?: string | undefined
  body?: unknown
  /** In place of `body`, as it is. */
  raw?: string | Uint8Array<ArrayBuffer> | ReadableStream
  headers?: Record<string, string>
  /** How the client reached us; `http://registry.example.com` unless set. */
  origin?: string
  signal?: AbortSignal
}

interface Answer {
  status: number
  headers: Headers
  /** Parsed; undefined when there is none. */
  body: Body
  text: string
}

/** What tests look at; a field that is not there is undefined. */
interface Body {
  [field: string]: unknown
  id: number
  name: string
  code: string
  detail: string
  version: number
  items: { [field: string]: unknown; name: string; id: number }[]
  next: string | null
  errors: { field?: string; message: string; says?: object }[]
}

export async function createTestApi(create?: () => Promise<TestDatabase>): Promise<TestApi> {
  const accounts = await createTestAccounts({}, create)
  const { db, clock } = accounts
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-api-'))
  const failures: string[] = []
  await accounts.createUser('root', { isAdmin: true })
  const log = createLog({ level: 'error', format: 'json', output: (line) => failures.push(line) })
  const registry = createRegistry({
    db,
    store: await openFileStore(folder),
    clock,
    authorizer: accounts.authorizer,
    projects: createProjects({ db, clock }),
    settings: { sparse: true },
    writer: 'test',
    watch: createChartRecorder({ clock, log }),
  })
  const registries = createRegistries({
    db,
    clock,
    sealer: testSealer,
    useSources: [transfersOf],
  })
  const loginTo: HandoutsDeps['loginTo'] = async ({ endpoint }) =>
    endpoint.accessKey === ''
      ? undefined
      : { username: endpoint.accessKey, password: endpoint.secretKey }
  const connections = createConnections({
    registries,
    fetch: createGuardedFetch({ allowedNetworks: ['127.0.0.0/8'] }),
    clock: systemClock,
    log,
    userAgent: 'test',
  })
  const charts = createCharts({ db, registry })
  const queue = createJobQueue({ db, clock })
  const api = createApi({
    db,
    clock,
    accounts,
    registry,
    charts,
    registries,
    runners: createRunnerService({
      db,
      clock,
      queue,
      log,
      issueCopyToken: async () => {
        throw new Error('nothing is copied here')
      },
    }),
    handouts: createHandouts({ db, clock, registries, loginTo }),
    checks: createChecks({ db, clock, log, registries, connections }),
    browse: createBrowse({ connections, clock }),
    queue,
    log,
    settings: { publicByDefault: false, lookMs: 50 },
  })

  async function respond(method: string, path: string, asked: Call = {}): Promise<Response> {
    const { as, body, raw = body === undefined ? undefined : JSON.stringify(body) } = asked
    const headers = new Headers(raw === undefined ? {} : { 'content-type': 'application/json' })
    if (as !== undefined) headers.set('authorization', as.includes(' ') ? as : basic(as, PASSWORD))
    for (const [name, value] of Object.entries(asked.headers ?? {})) headers.set(name, value)
    const [bare = '', search = ''] = `/api/v1${path}`.split('?')
    const context: RequestContext = {
      request: new Request('http://registry.example.com/', {
        method,
        headers,
        ...(raw === undefined ? {} : { body: raw }),
        ...(asked.signal ? { signal: asked.signal } : {}),
      }),
      method,
      path: bare,
      query: new URLSearchParams(search),
      address: ADDRESS,
      requestId: 'request-1',
      origin: asked.origin ?? 'http://registry.example.com',
      host: 'registry.example.com',
      route: 'unknown',
      received: 0,
      keepOpen() {},
    }
    return Promise.resolve(api.handle(context)).catch((error) => api.renderError(error, context))
  }

  async function call(method: string, path: string, asked?: Call): Promise<Answer> {
    const response = await respond(method, path, asked)
    const text = await response.text()
    const { status } = response
    return { status, headers: response.headers, text, body: text ? JSON.parse(text) : undefined }
  }

  return {
    accounts,
    registry,
    charts,
    registries,
    queue,
    call,
    respond,
    stop: () => api.stop?.(),
    async expect(status, method, path, asked) {
      const answer = await call(method, path, asked)
      expect(`${answer.status} ${answer.text}`).toStartWith(`${status} `)
      return answer
    },
    async push(repository, tag, content = {}) {
      const name = parseRepositoryName(repository)
      const reference = parseReference(tag)
      if (!name || !reference) throw new Error(`${repository}:${tag} is no name`)
      const mediaType = 'application/vnd.oci.image.config.v1+json'
      const config = { mediaType, digest: `sha256:${'0'.repeat(64)}`, size: 2 }
      const manifest = {
        schemaVersion: 2,
        mediaType: MEDIA_TYPE.ociManifest,
        config,
        layers: [],
        ...content,
      }
      const { digest } = await registry.manifests.put({
        name,
        reference,
        tags: [],
        contentType: String(manifest.mediaType),
        bytes: Buffer.from(JSON.stringify(manifest)),
        pusher: {
          account: (await accounts.users.find('root'))?.id ?? null,
          mayCreateProject: false,
          publicProject: false,
        },
      })
      return digest
    },
    async audited() {
      const rows = await db.query.selectFrom('audit').selectAll().orderBy('id').execute()
      return rows.map(({ action, resource }) => `${action} ${resource}`)
    },
    failures,
    async remove() {
      await accounts.remove()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
