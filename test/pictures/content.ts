import { createUser } from '../acceptance/admin-api.ts'
import { createRawRegistry } from '../acceptance/raw-registry.ts'
import type { Server } from '../acceptance/server.ts'
import { callApi } from '../acceptance/transfers-api.ts'
import { pushChart } from './chart.ts'
import { createImagePusher, type ImageAsked } from './images.ts'

/* The registry of a small company, invented: its projects, people and what they pushed. */

const GiB = 1024 ** 3
const MiB = 1024 ** 2
const BOTH = ['amd64', 'arm64']

/** Besides `library`, which every installation has. */
const PROJECTS = [
  { name: 'storefront', quota: GiB, description: 'The web shop' },
  { name: 'payments', quota: GiB / 2, description: 'Cards, invoices and refunds' },
  { name: 'data', quota: 2 * GiB, description: 'Reports and forecasts' },
  { name: 'platform', description: 'What all teams run on' },
] as const

const PEOPLE = [
  { name: 'mei', role: 'maintainer', projects: ['storefront', 'library'] },
  { name: 'jonas', role: 'developer', projects: ['storefront', 'payments'] },
  { name: 'priya', role: 'admin', projects: ['payments', 'data'] },
  { name: 'tomas', role: 'guest', projects: ['storefront', 'data'] },
] as const

type Pushed = Omit<ImageAsked, 'tag' | 'nth'> & { by: string; tags: readonly string[] }

/** Oldest first, as they were pushed. */
const IMAGES: readonly Pushed[] = [
  { by: 'mei', repository: 'library/node', stack: 'node', tags: ['24.10', '24.11'] },
  { by: 'mei', repository: 'library/python', stack: 'python', tags: ['3.13', '3.14'] },
  {
    by: 'priya',
    repository: 'data/notebook',
    stack: 'python',
    sizes: [61.2 * MiB, 0.4 * MiB],
    tags: ['2026.10', '2026.11'],
  },
  { by: 'priya', repository: 'data/forecast', stack: 'python', tags: ['0.9.0', '0.9.1', '0.10.0'] },
  {
    by: 'priya',
    repository: 'payments/ledger',
    stack: 'go',
    sizes: [0.4 * MiB, 14.1 * MiB],
    tags: ['2.11.3', '2.12.0', '2.12.1'],
  },
  {
    by: 'jonas',
    repository: 'payments/gateway',
    stack: 'go',
    sizes: [0.4 * MiB, 17.8 * MiB],
    tags: ['5.0.0', '5.0.1', '5.1.0-rc.1'],
  },
  { by: 'jonas', repository: 'storefront/search', stack: 'python', tags: ['1.7.2', '1.8.0'] },
  {
    by: 'mei',
    repository: 'storefront/checkout',
    stack: 'node',
    sizes: [17.9 * MiB, 1.6 * MiB],
    tags: ['4.2.0', '4.2.1', '4.3.0'],
  },
  {
    by: 'jonas',
    repository: 'storefront/worker',
    stack: 'go',
    sizes: [0.4 * MiB, 9.3 * MiB],
    tags: ['1.9.1', '1.9.2'],
  },
  {
    by: 'mei',
    repository: 'storefront/web',
    stack: 'node',
    architectures: BOTH,
    sizes: [23.8 * MiB, 4.7 * MiB],
    tags: ['3.7.4', '3.8.0', '3.8.1', '3.9.0', 'latest'],
  },
]

/** Everything of our own registry. */
export const fillRegistry = async (server: Server): Promise<void> => {
  for (const project of PROJECTS) await callApi(server, 'POST', '/projects', project)
  await callApi(server, 'POST', '/projects/storefront/robots', {
    name: 'ci',
    role: 'developer',
    description: 'Builds',
  })
  const pushers = new Map<string, ReturnType<typeof createImagePusher>>()
  for (const { name, role, projects } of PEOPLE) {
    const person = await createUser(server, name)
    for (const project of projects) {
      await callApi(server, 'PUT', `/projects/${project}/members/${name}`, { role })
    }
    pushers.set(name, createImagePusher(createRawRegistry(server.url, person)))
  }
  for (const { by, tags, ...image } of IMAGES) {
    const pusher = pushers.get(by)
    if (!pusher) throw new Error(`${by} is nobody`)
    for (const [nth, tag] of tags.entries()) {
      const pushed = await pusher.image({ ...image, tag, nth })
      if (image.architectures) await pusher.sign(image.repository, pushed)
    }
  }
  for (const version of ['1.4.0', '1.4.1', '1.5.0']) await pushChart(server, 'storefront', version)
  const admin = createRawRegistry(server.url, server.admin)
  for (const { repository, tags } of IMAGES) {
    for (const tag of tags) await admin.readManifest(repository, tag)
  }
}
