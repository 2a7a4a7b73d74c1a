import { z } from '@hono/zod-openapi'
import type { Principal } from '../../accounts/principal.ts'
import { syncViewOf } from '../../hub/inventory/syncs.ts'
import { createLiveWatch, type LiveBatch, type LiveWatch } from '../../hub/live/live-watch.ts'
import type { RegistryRecord } from '../../hub/registries/record.ts'
import { seesTransfer } from '../../hub/transfers/transfers.ts'
import { AppError } from '../../lib/errors.ts'
import type { ApiDeps } from './api.ts'
import { SyncView } from './images.ts'
import { Job } from './jobs.ts'
import { createLiveStreams, type LiveEvent } from './live-stream.ts'
import { RegistryView, viewOf } from './registry-schemas.ts'
import { type Endpoint, route, streamEndpoint } from './route.ts'
import { RunnerView, runnerViewOf } from './runners.ts'
import { sessionTokenOf } from './session-cookie.ts'
import { TransferView, transferView } from './transfer-schemas.ts'

/* What changes, as it changes: work in the background and the registries of others. */

/** A closed session is seen by reading it, and reading is all that it costs. */
const RENEW_SESSION_MS = 4_000
/** Other logins are remembered for five seconds, to which nothing may be added here. */
const RENEW_LOGIN_MS = 0

const Data = {
  transfer: TransferView,
  job: Job,
  sync: SyncView.extend({ registry: z.string() }),
  registry: RegistryView,
  runner: RunnerView,
}

export const eventRoutes = {
  stream: route({
    name: 'event.stream',
    method: 'GET',
    path: '/events',
    summary:
      'Follow transfers, jobs, syncs, registries and runners as Server-Sent Events; what you may not read is left out',
    permission: 'signed-in',
    on: 'system',
    output: z.union([Data.transfer, Data.job, Data.sync, Data.registry, Data.runner]).openapi({
      description:
        'The `data` of an event `transfer`, `job`, `sync`, `registry` or `runner`: the object as it is now. ' +
        '`ready` comes first; `refresh` says that events may have been missed, as after `Last-Event-ID`: ' +
        'read again what you show.',
    }),
    streams: true,
  }),
}

type Deps = Pick<ApiDeps, 'db' | 'clock' | 'log' | 'queue' | 'accounts' | 'registries' | 'settings'>

/** The endpoint, and what ends its streams when the process stops. */
export function liveEvents(deps: Deps): { endpoints: Endpoint[]; watch: LiveWatch } {
  const { clock, log, accounts, registries } = deps
  const { authenticator, authorizer, sessions } = accounts
  const watch = createLiveWatch({ ...deps, lookMs: deps.settings.lookMs })
  const streams = createLiveStreams({ watch, clock, log })
  const texts = new WeakMap<object, string>()
  const seen = new WeakMap<LiveBatch, Map<string, Promise<RegistryRecord | undefined>>>()

  /** Read once for all streams of an account. */
  function registryFor(batch: LiveBatch, id: string, { isAdmin, account }: Principal) {
    const known = seen.get(batch) ?? new Map<string, Promise<RegistryRecord | undefined>>()
    seen.set(batch, known)
    const key = `${isAdmin ? 'admin' : account} ${id}`
    const found = known.get(key) ?? registries.get(id, isAdmin ? undefined : account)
    known.set(key, found)
    return found
  }

  /** What is the same for everybody is written once. */
  function textOf(item: object, view: () => unknown): string {
    const known = texts.get(item) ?? JSON.stringify(view())
    texts.set(item, known)
    return known
  }

  async function eventsOf(batch: LiveBatch, principal: Principal): Promise<LiveEvent[]> {
    const events: LiveEvent[] = []
    for (const transfer of batch.transfers) {
      if (!(await seesTransfer(authorizer, principal, transfer))) continue
      const view = () => Data.transfer.parse(transferView(transfer))
      events.push({ event: 'transfer', data: textOf(transfer, view) })
    }
    const sees = await authorizer.authorize(principal, 'system:read', { kind: 'system' })
    if (sees.allowed) {
      for (const job of batch.jobs) {
        events.push({ event: 'job', data: textOf(job, () => Data.job.parse(job)) })
      }
    }
    const manages = await authorizer.authorize(principal, 'runner:manage', { kind: 'system' })
    if (manages.allowed) {
      for (const runner of batch.runners) {
        const view = () => Data.runner.parse(runnerViewOf(runner))
        events.push({ event: 'runner', data: textOf(runner, view) })
      }
    }
    const reads = await authorizer.authorize(principal, 'registry:read', { kind: 'system' })
    if (!reads.allowed) return events
    for (const sync of batch.syncs) {
      if (!(await registryFor(batch, sync.registry, principal))) continue
      const view = () => Data.sync.parse({ ...syncViewOf(sync), registry: sync.registry })
      events.push({ event: 'sync', data: textOf(sync, view) })
    }
    for (const id of batch.registries) {
      const registry = await registryFor(batch, id, principal)
      if (!registry) continue
      const view = Data.registry.parse(viewOf(registry, principal))
      events.push({ event: 'registry', data: JSON.stringify(view) })
    }
    return events
  }

  const endpoints = [
    streamEndpoint(eventRoutes.stream, async ({ principal, context }) => {
      const { request } = context
      const { account, login } = principal
      if (account === null) throw new AppError('unauthenticated', 'sign in first')
      const token = login?.method === 'session' ? sessionTokenOf(context) : undefined
      context.keepOpen()
      return streams.open({
        account,
        reader: principal,
        renewEveryMs: token === undefined ? RENEW_LOGIN_MS : RENEW_SESSION_MS,
        async renew() {
          if (token === undefined) return authenticator.renew(principal)
          const found = await sessions.peek(token)
          if (!found) throw new AppError('unauthenticated', 'the session has ended')
          return found.principal
        },
        eventsOf,
        isBack: request.headers.has('last-event-id'),
        signal: request.signal,
      })
    }),
  ]
  return { endpoints, watch }
}
