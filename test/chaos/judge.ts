import pg from 'pg'
import { createRawRegistry, type RawRegistry, sha256 } from '../acceptance/raw-registry.ts'
import type { Replicas } from '../acceptance/replicas.ts'
import { type Credentials, runVerb, type Server, waitFor } from '../acceptance/server.ts'
import { callApi } from '../acceptance/transfers-api.ts'
import type { Ledger } from './ledger.ts'

/*
 * After the trouble: what the registry acknowledged is there, byte for byte and whoever is asked;
 * its own checker finds nothing; and every project is charged for what it holds, no more, no less.
 */

const AT_ONCE = 8

const each = async <T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> => {
  let next = 0
  const worker = async () => {
    while (next < items.length) {
      const item = items[next++]
      if (item !== undefined) await work(item)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

const readBack = async (
  ledger: Ledger,
  registries: readonly (RawRegistry & { readonly name: string })[],
): Promise<number> => {
  let read = 0
  const demand = async (what: string, expected: string, bytes: Promise<Uint8Array>) => {
    const found = await bytes.then(sha256, (error: unknown) => String(error))
    read++
    if (found !== expected) ledger.violation(`${what}: ${found}`)
  }
  for (const registry of registries) {
    await each(ledger.images, async ({ repository, tag, digest, deleted }) => {
      const what = `${registry.name}: ${repository}:${tag}`
      if (deleted === 'no') {
        await demand(what, digest, registry.readManifest(repository, tag))
        await demand(`${what}@${digest}`, digest, registry.readManifest(repository, digest))
      } else if (deleted === 'yes' && (await registry.headManifest(repository, digest))) {
        ledger.violation(`${what} is there after its deletion was acknowledged`)
      }
    })
    await each([...ledger.blobs.keys()], async (place) => {
      const [repository = '', digest = ''] = place.split('@')
      await demand(`${registry.name}: ${place}`, digest, registry.readBlob(repository, digest))
    })
    for (const [place, tried] of ledger.moving) {
      const [repository = '', tag = ''] = place.split(':')
      const found = await registry.headManifest(repository, tag)
      // None: the last one was deleted, and its tag with it.
      if (found !== undefined && !tried.has(found)) ledger.violation(`${place} is ${found}`)
    }
  }
  return read
}

/** What each project holds, counted from nothing but the rows that make content visible. */
const HELD = `
  select p.name, coalesce(sum(c.size), 0)::float8 as bytes
  from project p
  left join lateral (
    select b.content from repository r join repository_blob b on b.repository = r.id
    where r.project = p.id and r.state = 'live'
    union
    select m.content from repository r join manifest m on m.repository = r.id
    where r.project = p.id and r.state = 'live' and m.state = 'live'
  ) held on true
  left join content c on c.id = held.content
  where p.state = 'live'
  group by p.name`

type Project = { usage: { uniqueBytes: number } }

const judgeQuota = async (server: Server, ledger: Ledger): Promise<string[]> => {
  const client = new pg.Client({ connectionString: server.env.ENTREPOT_DATABASE_URL })
  await client.connect()
  const { rows } = await client.query(HELD).finally(() => client.end())
  const lines: string[] = []
  for (const { name, bytes } of rows as { name: string; bytes: number }[]) {
    const acknowledged = new Map(
      [...ledger.blobs].flatMap(([place, size]) =>
        place.startsWith(`${name}/`) ? [[place.split('@')[1] ?? '', size] as const] : [],
      ),
    )
    const least = [...acknowledged.values()].reduce((sum, size) => sum + size, 0)
    const { usage } = await callApi<Project>(server, 'GET', `/projects/${name}`)
    if (usage.uniqueBytes !== bytes) {
      ledger.violation(`project ${name} is charged ${usage.uniqueBytes} bytes and holds ${bytes}`)
    }
    if (bytes < least) {
      ledger.violation(`project ${name} holds ${bytes} bytes, of which ${least} acknowledged`)
    }
    lines.push(`  ${name}: ${usage.uniqueBytes} bytes charged, ${bytes} held`)
  }
  return lines
}

/** Appends to the ledger's violations; resolves to what is worth telling. */
export const judge = async (
  server: Server,
  replicas: Replicas,
  user: Credentials,
  ledger: Ledger,
): Promise<string[]> => {
  for (const { url } of replicas.members) {
    await waitFor(`${url} to be ready`, async () => {
      const answer = await fetch(`${url}/readyz`, { keepalive: false }).catch(() => undefined)
      return answer?.status === 200
    })
  }
  const registries = replicas.members.map(({ url }, i) => ({
    name: `replica ${i + 1}`,
    ...createRawRegistry(url, user),
  }))
  const read = await readBack(ledger, registries)
  const { exitCode, output } = await runVerb(server, 'verify', {}, ['--deep'])
  if (exitCode !== 0) ledger.violation(`verify ended with ${exitCode}:\n${output}`)
  const quota = await judgeQuota(server, ledger)
  return [
    `read back: ${read} manifests and blobs through ${registries.length} replicas`,
    `verify --deep: ${output.trim().split('\n').join(', ')}`,
    'quota:',
    ...quota,
  ]
}
