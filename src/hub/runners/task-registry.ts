import type { Queryable } from '../../store/db/database.ts'
import { LOCAL } from './identity.ts'
import { type RunnerTaskRegistry, TaskRegistry } from './protocol.ts'

/**
 * As it is now, with the secret as the runner alone can open it. Of those that are not its own it is
 * told where nobody needs a password: see `carrierOf`.
 */
export async function taskRegistryOf(
  on: Queryable,
  id: string,
  runner: string,
): Promise<RunnerTaskRegistry | undefined> {
  const row = await on
    .selectFrom('registry as r')
    .innerJoin('runner as w', (join) => join.on('w.id', '=', runner))
    .selectAll('r')
    .select('w.project as runner_project')
    .where('r.id', '=', id)
    .where((eb) =>
      eb.or([
        eb('r.connect_cluster_id', '=', runner),
        eb.and([
          eb('r.connect_cluster_id', '=', LOCAL),
          eb('r.access_key', '=', ''),
          eb('r.sealed_secret', 'is', null),
        ]),
      ]),
    )
    .executeTakeFirst()
  // An address that an administrator named is one of the runner's network only if it is the runner's.
  const isNamed = row?.private_allowed === 1 && row.connect_cluster_id === runner
  return (
    row &&
    TaskRegistry.parse({
      id: row.id,
      name: row.name,
      provider: row.provider,
      address: row.address,
      region: row.region,
      namespace: row.namespace,
      accessKey: row.access_key,
      apiVersion: row.api_version,
      verifyTls: row.verify_tls === 1,
      caCertificate: row.ca_certificate,
      // Who was given a runner of his own was given what it reaches.
      allowPrivate: isNamed || row.runner_project !== null,
      secret: row.runner_key === null ? null : row.sealed_secret,
    })
  )
}
