import type { InventoryAsk } from './inventory-rows.ts'
import type { ListedThing } from './list-rows.ts'

/** What one operation of a line does. Sizes are in MiB; a mix is a repeating sequence of sizes. */
export type Shape =
  | {
      kind: 'images'
      sizes: readonly number[]
      pullsPerPush: number
      streamed: boolean
      /** All clients push into one. */
      oneRepository?: boolean
    }
  /** From the last byte of a layer until it is committed. */
  | { kind: 'commit'; size: number }
  | { kind: 'pull'; sizes: readonly number[] }
  | { kind: 'manifest'; method: 'HEAD' | 'GET' }
  | { kind: 'manifest-put' }
  | { kind: 'token' }
  | { kind: 'catalog' }
  | { kind: 'tags-page'; tags: number }
  | { kind: 'delete'; tags: number }
  | { kind: 'ccr-page'; of: ListedThing; rows: number }
  /** `pushesPerSearch`: images of 1 MiB between two of them, by the same client. */
  | { kind: 'inventory'; ask: InventoryAsk; pushesPerSearch: number }

export type Workload = {
  /** The name of the line, for `--only`. */
  name: string
  title: string
  shape: Shape
  /** Lines of a group run on the same server processes and data folder, one after the other. */
  group: string
  /** Connections, each with one request under way. */
  clients: number
  /** Operations of a round, and of a round with `--quick`. */
  count: number
  quickCount: number
  /** What the rate counts. */
  unit: 'images/s' | 'MiB/s' | 'requests/s'
}

const twentySeventyTen = [10, 1, 10, 10, 100, 10, 10, 1, 10, 10]
const thirds = [1, 10, 100]

export const workloads: readonly Workload[] = [
  pushes('push-1m', 'push 1 MB', [1], false, 10, 200, 60),
  pushes('push-10m', 'push 10 MB', [10], false, 10, 60, 20),
  pushes('push-100m', 'push 100 MB', [100], false, 4, 16, 4),
  pushes('stream-1m', 'push 1 MB streamed', [1], true, 10, 200, 60),
  pushes('stream-10m', 'push 10 MB streamed', [10], true, 10, 60, 20),
  pushes('stream-100m', 'push 100 MB streamed', [100], true, 4, 16, 4),
  pushes('push-mixed', 'push 20/70/10 % of 1/10/100 MB', twentySeventyTen, false, 10, 40, 10),
  pushes('stream-mixed', 'push a third each, streamed', thirds, true, 10, 30, 6),
  pulls('pull-1m', 'pull 1 MB', [1], 10, 600, 150),
  pulls('pull-10m', 'pull 10 MB', [10], 10, 150, 40),
  pulls('pull-100m', 'pull 100 MB', [100], 4, 24, 8),
  pulls('pull-mixed', 'pull 20/70/10 % of 1/10/100 MB', twentySeventyTen, 10, 60, 20),
  {
    ...pulls('pull-50x100m', 'memory: 50 clients pull 100 MB', [100], 50, 100, 50),
    group: 'memory',
  },
  {
    ...pushes('commit-1g', 'last byte of 1 GB until 201', [1024], true, 1, 5, 2),
    shape: { kind: 'commit', size: 1024 },
    unit: 'requests/s',
  },
  { ...pulls('pull-500x1m', '500 clients pull 1 MB', [1], 500, 5000, 1000), group: 'pull-500' },
  {
    ...pushes('push-200x1k', '200 clients push 1 KiB, one repository', [1], false, 200, 6000, 1000),
    shape: {
      kind: 'images',
      sizes: [1 / 1024],
      pullsPerPush: 0,
      streamed: false,
      oneRepository: true,
    },
  },
  mixes('mixed-1m', '75 % pull, 25 % push, 1 MB', 1, 10, 400, 80),
  mixes('mixed-10m', '75 % pull, 25 % push, 10 MB', 10, 10, 120, 24),
  mixes('mixed-100m', '75 % pull, 25 % push, 100 MB', 100, 4, 24, 8),
  requests('token', 'token for one repository', { kind: 'token' }, 10, 2000, 400),
  requests(
    'manifest-head',
    'HEAD manifest by tag',
    { kind: 'manifest', method: 'HEAD' },
    10,
    6000,
    1000,
  ),
  requests(
    'manifest-get',
    'GET manifest by tag',
    { kind: 'manifest', method: 'GET' },
    10,
    6000,
    1000,
  ),
  requests('manifest-put', 'PUT manifest with a new tag', { kind: 'manifest-put' }, 10, 1000, 200),
  requests('catalog', '_catalog?n=100', { kind: 'catalog' }, 10, 1000, 200),
  requests('tags-1k', 'tags/list?n=100 of 1,000', { kind: 'tags-page', tags: 1000 }, 4, 1000, 200),
  requests(
    'tags-10k',
    'tags/list?n=100 of 10,000',
    { kind: 'tags-page', tags: 10_000 },
    4,
    1000,
    100,
  ),
  requests('delete-1k', 'DELETE a manifest, 1,000 tags', { kind: 'delete', tags: 1000 }, 1, 50, 10),
  requests(
    'delete-10k',
    'DELETE a manifest, 10,000 tags',
    { kind: 'delete', tags: 10_000 },
    1,
    50,
    10,
  ),
  ccrPages('ccr-repositories-10', 'CCR: 10 of 10 repositories', 'repositories', 10),
  ccrPages('ccr-repositories-100k', 'CCR: first 10 of 100,000', 'repositories', 100_000),
  ccrPages('ccr-artifacts-10', 'CCR: 10 of 10 artifacts', 'artifacts', 10),
  ccrPages('ccr-artifacts-100k', 'CCR: first 10 of 100,000', 'artifacts', 100_000),
  inventory('inventory-filter', 'images by columns, of 1,000,000', 'filter', 0, 2, 600, 60),
  inventory('inventory-search', 'images by text, of 1,000,000', 'search', 0, 1, 100, 20),
  inventory('inventory-push', '20 pushes of 1 MB for a search', 'search', 20, 10, 420, 105),
  {
    ...pushes('inventory-quiet', 'the same pushes alone', [1], false, 10, 400, 100),
    group: 'inventory',
  },
]

/**
 * What `--engines` measures unless told otherwise. Not 10,000 tags: filling a registry of files in a
 * bucket with them takes longer than all other lines.
 */
export const engineLines: readonly string[] = workloads
  .map(({ name }) => name)
  .filter((name) =>
    /^(push|stream|pull|mixed|commit|manifest)-|^(token|catalog|tags-1k|delete-1k)$/.test(name),
  )

/** What Entrepot has to reach. Ratios are against the peer of that name. */
export type Target =
  | { kind: 'ratio'; line: string; server?: string; peer: string; atLeast: number }
  | { kind: 'rate'; line: string; server: string; atLeast: number }
  | { kind: 'latency'; line: string; server: string; p95AtMostMs: number }
  | { kind: 'memory'; line: string; atMostMB: number }
  | { kind: 'flat'; small: string; large: string; atMost: number }

const peer = 'docker-registry'

export const targets: readonly Target[] = [
  { kind: 'ratio', line: 'push-1m', peer, atLeast: 2 },
  { kind: 'ratio', line: 'pull-1m', peer, atLeast: 2 },
  { kind: 'ratio', line: 'push-100m', peer, atLeast: 1 },
  { kind: 'ratio', line: 'pull-100m', peer, atLeast: 1 },
  { kind: 'ratio', line: 'manifest-head', peer, atLeast: 5 },
  // "Independent of the number of tags": with ten times the tags the median operation may take a
  // quarter longer, which is about what the rounds of one line differ by.
  { kind: 'flat', small: 'tags-1k', large: 'tags-10k', atMost: 1.25 },
  { kind: 'flat', small: 'delete-1k', large: 'delete-10k', atMost: 1.25 },
  { kind: 'flat', small: 'ccr-repositories-10', large: 'ccr-repositories-100k', atMost: 1.25 },
  { kind: 'flat', small: 'ccr-artifacts-10', large: 'ccr-artifacts-100k', atMost: 1.25 },
  { kind: 'memory', line: 'pull-50x100m', atMostMB: 150 },
  { kind: 'rate', line: 'push-200x1k', server: 'entrepot', atLeast: 300 },
  { kind: 'rate', line: 'push-200x1k', server: 'postgres', atLeast: 300 },
  { kind: 'latency', line: 'pull-500x1m', server: 'replicas', p95AtMostMs: 1000 },
  ...['docker-registry-s3', 'distribution-s3'].flatMap((onS3): Target[] => [
    ...engineLines
      .filter((line) => line !== 'commit-1g')
      .map((line): Target => ({ kind: 'ratio', line, server: 's3', peer: onS3, atLeast: 1 })),
    { kind: 'ratio', line: 'commit-1g', server: 's3', peer: onS3, atLeast: 3 },
  ]),
]

function pushes(
  name: string,
  title: string,
  sizes: readonly number[],
  streamed: boolean,
  clients: number,
  count: number,
  quickCount: number,
): Workload {
  const shape: Shape = { kind: 'images', sizes, pullsPerPush: 0, streamed }
  return { name, title, shape, group: name, clients, count, quickCount, unit: unitOf(sizes) }
}

function pulls(
  name: string,
  title: string,
  sizes: readonly number[],
  clients: number,
  count: number,
  quickCount: number,
): Workload {
  const shape: Shape = { kind: 'pull', sizes }
  return { name, title, shape, group: 'pull', clients, count, quickCount, unit: unitOf(sizes) }
}

function mixes(
  name: string,
  title: string,
  size: number,
  clients: number,
  count: number,
  quickCount: number,
): Workload {
  const shape: Shape = { kind: 'images', sizes: [size], pullsPerPush: 3, streamed: false }
  return { name, title, shape, group: name, clients, count, quickCount, unit: unitOf([size]) }
}

function requests(
  name: string,
  title: string,
  shape: Shape,
  clients: number,
  count: number,
  quickCount: number,
): Workload {
  return { name, title, shape, group: 'lists', clients, count, quickCount, unit: 'requests/s' }
}

/** On servers of their own, so that no other line meets databases with these many rows. */
function ccrPages(name: string, title: string, of: ListedThing, rows: number): Workload {
  const shape: Shape = { kind: 'ccr-page', of, rows }
  // Many, since the warm-up is a tenth of them and the first line of the group meets a cold server.
  return { ...requests(name, title, shape, 4, 6000, 1000), group: 'ccr' }
}

/** With a million images in the database; the pushes that are compared run on the same servers. */
function inventory(
  name: string,
  title: string,
  ask: InventoryAsk,
  pushesPerSearch: number,
  clients: number,
  count: number,
  quickCount: number,
): Workload {
  const shape: Shape = { kind: 'inventory', ask, pushesPerSearch }
  return { ...requests(name, title, shape, clients, count, quickCount), group: 'inventory' }
}

function unitOf(sizes: readonly number[]): Workload['unit'] {
  return sizes.length === 1 && sizes[0] === 1 ? 'images/s' : 'MiB/s'
}
