import { createActingFor } from '../accounts/acting-for.ts'
import { transferJobType } from '../hub/transfers/transfer-job-type.ts'
import { defineJob, type Job } from '../jobs/job.ts'
import type { Clock } from '../lib/clock.ts'
import type { ProcessContext } from '../lib/process.ts'
import type { HubAccess } from './hub-access.ts'
import type { Parts } from './parts.ts'

/** The job that copies images; its code is loaded with the first one. */
export function createTransferWork(
  { db, sealer, accounts, registry, registries }: Parts,
  { config, log }: Pick<ProcessContext, 'config' | 'log'>,
  clock: Clock,
  hub: () => Promise<HubAccess>,
): Job {
  const { authorizer } = accounts
  let loaded: Promise<Job<typeof transferJobType.schema>> | undefined

  async function load() {
    const [
      { createTransferJob },
      { createTagStoodFor },
      { asRegistry },
      { connections, byRunner },
    ] = await Promise.all([
      import('../hub/transfers/transfer-job.ts'),
      import('../hub/transfers/tag-stood-for.ts'),
      import('../registry/as-registry.ts'),
      hub(),
    ])
    return createTransferJob({
      db,
      clock,
      log,
      sealer,
      access: { authorizer, projects: registry.projects, registries },
      actingFor: createActingFor({ db, clock }),
      ownRegistry: (principal) =>
        asRegistry({
          registry,
          authorizer,
          clock,
          principal,
          settings: { publicByDefault: config.projects.publicByDefault },
        }),
      connect: (opened) => connections.with(opened),
      byRunner,
      tagStoodFor: createTagStoodFor(registry),
      perRegistry: config.transfers.perRegistry,
    })
  }

  return defineJob({
    ...transferJobType,
    async run(payload, context) {
      loaded ??= load()
      await (await loaded).run(payload, context)
    },
  })
}
