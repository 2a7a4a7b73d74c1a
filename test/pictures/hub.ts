import { Database } from 'bun:sqlite'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createProject } from '../acceptance/admin-api.ts'
import { startCountingProxy } from '../acceptance/counting-proxy.ts'
import { createRawRegistry } from '../acceptance/raw-registry.ts'
import { type RunnerProcess, startRunner } from '../acceptance/runner-process.ts'
import { type Server, startProcess, waitFor } from '../acceptance/server.ts'
import { addRegistry, callApi, finished, getTransfer } from '../acceptance/transfers-api.ts'
import { createImagePusher, type ImageAsked } from './images.ts'

/*
 * The registries of others. A second Entrepot stands for all of them but one, and a third for one
 * that is far away; when everything was read they get the addresses that such registries have.
 */

export const LOOPBACK = { ENTREPOT_HUB_ALLOWED_NETWORKS: '127.0.0.0/8' }

const MiB = 1024 ** 2
/** As whom we come there, in the pictures. */
const LOGIN = 'robot-entrepot'
const BYTES_PER_SECOND = 900_000

const THEIRS: readonly (Omit<ImageAsked, 'tag' | 'nth'> & { tags: readonly string[] })[] = [
  { repository: 'shop/mirror/nginx', stack: 'go', tags: ['1.28', '1.29', '1.29-alpine'] },
  {
    repository: 'shop/mirror/redis',
    stack: 'go',
    sizes: [8 * MiB, 3 * MiB],
    architectures: ['amd64', 'arm64'],
    tags: ['8.0', '8.2'],
  },
  { repository: 'shop/billing', stack: 'go', tags: ['7.2.0', '7.2.1', '7.3.0'] },
  { repository: 'shop/mailer', stack: 'python', tags: ['1.4.4', '1.5.0'] },
  {
    repository: 'shop/tracking',
    stack: 'go',
    architectures: ['amd64', 'arm64'],
    tags: ['0.8.1', '0.9.0'],
  },
  { repository: 'releases/app', stack: 'node', tags: ['2026.3', '2026.4'] },
  { repository: 'releases/agent', stack: 'go', tags: ['11.2', '11.3'] },
]

/** How a registry is told of in the pictures, by its name. */
const KNOWN_AS: Record<string, { provider: string; address: string; region: string }> = {
  harbor: { provider: 'harbor', address: 'https://harbor.example.com', region: '' },
  'swr-beijing': {
    provider: 'swr',
    address: 'https://swr.cn-north-4.myhuaweicloud.com',
    region: 'cn-north-4',
  },
  'ecr-frankfurt': {
    provider: 'ecr',
    address: 'https://123456789012.dkr.ecr.eu-central-1.amazonaws.com',
    region: 'eu-central-1',
  },
  nexus: { provider: 'nexus', address: 'https://nexus.example.com:8083', region: '' },
  'branch-office': { provider: 'native', address: 'https://registry.branch.example', region: '' },
}

export interface Hub {
  /** Ids of the registries by their names. */
  ids: ReadonlyMap<string, string>
  /** Of the transfer that is under way. */
  running: number
  dispose(): Promise<void>
}

interface RegistryState {
  health: string
  latestSyncAt: number | null
}

/** Integrates registries, reads them, and begins to copy. */
export const startHub = async (server: Server): Promise<Hub> => {
  const there = await startProcess({ tls: true, env: LOOPBACK })
  const far = await startProcess({ env: LOOPBACK })
  const slow = startCountingProxy(far.url, { bytesPerSecond: BYTES_PER_SECOND })
  let runner: RunnerProcess | undefined
  const dispose = async () => {
    await runner?.dispose()
    await slow.stop()
    await Promise.all([there.dispose(), far.dispose()])
  }
  try {
    const pusher = createImagePusher(createRawRegistry(there.url, there.admin))
    for (const name of ['shop', 'releases']) await createProject(there, name)
    await createProject(far, 'backup')
    for (const { tags, ...image } of THEIRS) {
      for (const [nth, tag] of tags.entries()) await pusher.image({ ...image, tag, nth })
    }

    runner = await enrol(server)
    const { username: accessKey, password: secretKey } = there.admin
    const caCertificate = await readFile(join(there.dataDir, 'tls/self-signed.crt'), 'utf8')
    const login = { accessKey, secretKey, caCertificate }
    const ids = new Map<string, string>()
    const add = async (name: string, address: string, more: object) => {
      ids.set(name, (await addRegistry(server, name, address, more)).id)
    }
    await add('harbor', there.url, { ...login, namespace: 'shop', syncCron: '0 */6 * * *' })
    await add('swr-beijing', there.url, { ...login, namespace: 'releases', projects: ['payments'] })
    const expired = { ...login, secretKey: 'expired', projects: ['data', 'platform'] }
    await add('ecr-frankfurt', there.url, expired)
    await add('nexus', there.url, { ...login, namespace: 'releases', runner: 'dc-2' })
    await add('branch-office', slow.url, {
      accessKey,
      secretKey: far.admin.password,
      namespace: 'backup',
    })

    const state = (name: string) =>
      callApi<RegistryState>(server, 'GET', `/registries/${ids.get(name)}`)
    for (const name of ids.keys()) {
      await waitFor(
        `the test of ${name}`,
        async () => ['ok', 'failing'].includes((await state(name)).health),
        60_000,
      )
    }
    for (const name of ['harbor', 'swr-beijing', 'nexus']) {
      const path = `/registries/${ids.get(name)}/sync`
      await callApi(server, 'POST', path).catch((error: unknown) => {
        // The change that added it has begun one already.
        if (!String(error).includes('409')) throw error
      })
      await waitFor(
        `the images of ${name}`,
        async () => (await state(name)).latestSyncAt !== null,
        90_000,
      )
    }
    return { ids, running: await copySome(server), dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

const enrol = async (server: Server): Promise<RunnerProcess> => {
  const body = { id: 'dc-2', name: 'Data center 2' }
  const { token } = await callApi<{ token: string }>(server, 'POST', '/runners', body)
  const caFile = join(server.dataDir, 'tls/self-signed.crt')
  const args = ['--allow-network', '127.0.0.0/8', '--ca-file', caFile]
  const runner = await startRunner({ hub: server.url, token, args })
  await waitFor('the runner', async () => {
    const { state } = await callApi<{ state: string }>(server, 'GET', '/runners/dc-2')
    return state === 'online'
  })
  return runner
}

/** One done, one that failed, one under way. */
const copySome = async (server: Server): Promise<number> => {
  const begin = async (
    from: readonly [registry: string, repository: string, reference: string],
    to: readonly [registry: string, repository: string],
  ) => {
    const [registry, repository, reference] = from
    const [target, name] = to
    const { id } = await callApi<{ id: number }>(server, 'POST', '/transfers', {
      source: { registry, repository, reference },
      target: { registry: target, repository: name },
    })
    return id
  }
  const harbor = (name: string, tag: string) => ['harbor', `shop/${name}`, tag] as const
  await finished(server, await begin(harbor('mirror/redis', '8.2'), ['self', 'library/redis']))
  await finished(server, await begin(harbor('mirror/nginx', '1.29'), ['self', 'library/nginx']))
  await finished(server, await begin(harbor('billing', '7.9.0'), ['self', 'payments/billing']))
  await finished(
    server,
    await begin(['self', 'payments/ledger', '2.12.1'], ['harbor', 'shop/ledger']),
  )
  const running = await begin(['self', 'storefront/web', '3.9.0'], ['branch-office', 'backup/web'])
  await waitFor('the transfer under way', async () => {
    const { state, bytes, error } = await getTransfer(server, running)
    if (error) throw new Error(error.message)
    return state === 'running' && bytes.sent > 12 * MiB
  })
  return running
}

/** Gives the registries the addresses of what they stand for; runs that have begun keep theirs. */
export const giveTheirNames = (server: Server): void => {
  const db = new Database(join(server.dataDir, 'entrepot.db'))
  try {
    db.run('pragma busy_timeout = 10000')
    const rows = db.query(
      `select id, name, address, health_steps, health_reason, health_says from registry`,
    )
    for (const row of rows.all() as Record<string, string>[]) {
      const known = KNOWN_AS[row.name ?? '']
      if (!known) continue
      const said = (text = '') =>
        text
          .replaceAll(row.address ?? '', known.address)
          .replaceAll(new URL(row.address ?? '').host, new URL(known.address).host)
          .replaceAll('127.0.0.1', new URL(known.address).hostname)
          .replaceAll('logged in as admin', `logged in as ${LOGIN}`)
          .replaceAll('"admin"', `"${LOGIN}"`)
      const saidInside = (json = 'null') =>
        JSON.stringify(
          JSON.parse(json, (_, value: unknown) =>
            value === 'admin' ? LOGIN : typeof value === 'string' ? said(value) : value,
          ),
        )
      db.query(
        `update registry set provider = ?, address = ?, region = ?, access_key = ?,
           health_steps = ?, health_reason = ?, health_says = ? where id = ?`,
      ).run(
        known.provider,
        known.address,
        known.region,
        known.provider === 'ecr' ? 'AKIAIOSFODNN7EXAMPLE' : LOGIN,
        saidInside(row.health_steps),
        said(row.health_reason),
        // It counts only beside the very sentence that it says.
        row.health_says ? saidInside(row.health_says) : null,
        row.id ?? '',
      )
    }
  } finally {
    db.close()
  }
}
