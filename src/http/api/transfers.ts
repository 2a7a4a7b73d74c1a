import type { z } from '@hono/zod-openapi'
import type { Principal } from '../../accounts/principal.ts'
import { describeTransfer, type Transfer } from '../../hub/transfers/transfer.ts'
import { createTransfers } from '../../hub/transfers/transfers.ts'
import { AppError } from '../../lib/errors.ts'
import type { Also } from '../../store/db/database.ts'
import type { ApiDeps } from './api.ts'
import { idAfter, listReply, readPage } from './pages.ts'
import { type Endpoint, endpoint, type RawRequest, type Reply, route } from './route.ts'
import { idInPath, page, pageOf, text } from './schemas.ts'
import {
  askedTransfer,
  secondsToWait,
  TransferView,
  transferState,
  transferView,
} from './transfer-schemas.ts'

const params = { transfer: idInPath }
/** What one may do is asked of what one names: registries, repositories, transfers of others. */
const forAll = { permission: 'signed-in', on: 'system' } as const

export const transferRoutes = {
  list: route({
    name: 'transfer.list',
    method: 'GET',
    path: '/transfers',
    summary: 'List what you have copied and what is copied for your projects, newest first',
    ...forAll,
    query: { ...page, project: text(255).optional(), state: transferState.optional() },
    output: pageOf(TransferView),
  }),
  create: route({
    name: 'transfer.create',
    method: 'POST',
    path: '/transfers',
    summary: 'Copy an image from one registry to another, either of them Entrepot itself or not',
    ...forAll,
    body: askedTransfer,
    sample: {
      project: 'payments',
      source: { registry: 'self', repository: 'payments/api', reference: '1.4' },
      target: { registry: 'harbor' },
    },
    output: TransferView,
    creates: true,
  }),
  get: route({
    name: 'transfer.get',
    method: 'GET',
    path: '/transfers/{transfer}',
    summary: 'Read how far a transfer is',
    ...forAll,
    params,
    query: { wait: secondsToWait.optional() },
    output: TransferView,
  }),
  cancel: route({
    name: 'transfer.cancel',
    method: 'POST',
    path: '/transfers/{transfer}/cancel',
    summary: 'End a transfer; its tag at the target stays as it was',
    ...forAll,
    params,
    output: TransferView,
  }),
  retry: route({
    name: 'transfer.retry',
    method: 'POST',
    path: '/transfers/{transfer}/retry',
    summary: 'Do a failed or cancelled transfer again, with what it has reached',
    ...forAll,
    params,
    output: TransferView,
  }),
}

export function transferEndpoints(deps: ApiDeps): Endpoint[] {
  const { db, clock, queue, accounts, registry, registries } = deps
  const { authorizer } = accounts
  const access = { authorizer, projects: registry.projects, registries }
  const transfers = createTransfers({ db, clock, queue, access })

  const reply = (transfer: Transfer): Reply<z.input<typeof TransferView>> => ({
    body: transferView(transfer),
    location: `/transfers/${transfer.id}`,
  })

  const audited = ({ audit }: Pick<RawRequest, 'audit'>): Also<Transfer> => {
    return (tx, transfer) =>
      audit(tx, { resource: describeTransfer(transfer), project: transfer.project.id })
  }

  /** A project that one may not see has no transfers, as one that is not there. */
  async function projectOf(name: string | undefined, principal: Principal) {
    if (name === undefined) return undefined
    const project = await registry.projects.find(name)
    const resource = project && ({ kind: 'project', project } as const)
    const seen = resource && (await authorizer.authorize(principal, 'project:read', resource))
    if (project && seen?.allowed) return project.id
    throw new AppError('project_unknown', `project "${name}" does not exist, or you may not see it`)
  }

  return [
    endpoint(transferRoutes.list, async ({ query, principal }) => {
      const project = await projectOf(query.project, principal)
      const after = idAfter(query.after)
      const found = await readPage(
        query.limit,
        (limit) => transfers.list({ project, state: query.state, limit, ...after }, principal),
        (transfer) => String(transfer.id),
      )
      return listReply({ ...found, items: found.items.map(transferView) })
    }),

    endpoint(transferRoutes.create, async ({ body, principal, ...asked }) =>
      reply(await transfers.create(body, principal, audited(asked))),
    ),

    endpoint(transferRoutes.get, async ({ params, query, principal }) => {
      const found = await transfers.get(params.transfer, principal)
      if (query.wait === undefined || found.finishedAt !== null) return reply(found)
      await transfers.untilEnd(found.id, query.wait * 1000)
      return reply(await transfers.get(found.id, principal))
    }),

    endpoint(transferRoutes.cancel, async ({ params, principal, ...asked }) =>
      reply(await transfers.cancel(params.transfer, principal, audited(asked))),
    ),

    endpoint(transferRoutes.retry, async ({ params, principal, ...asked }) =>
      reply(await transfers.retry(params.transfer, principal, audited(asked))),
    ),
  ]
}
