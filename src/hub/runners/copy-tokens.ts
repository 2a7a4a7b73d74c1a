import { mayEnter, stateColumns, stateOf } from '../../accounts/account-states.ts'
import type { Principal } from '../../accounts/principal.ts'
import type { RegistryTokens } from '../../accounts/registry-tokens.ts'
import type { Clock } from '../../lib/clock.ts'
import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import { parseRepositoryName } from '../../oci/reference.ts'
import type { Db } from '../../store/db/database.ts'
import { demandTransfer, type TransferAccess } from '../transfers/ends.ts'
import { transferOf } from '../transfers/transfer.ts'
import { selectTransfers } from '../transfers/transfer-rows.ts'

/**
 * What a runner needs at `/v2` for a copy: a token in the name of who asked for it, for some minutes,
 * for the one repository here, to push only where it is the target. It falls with the task, so with
 * the runner too.
 * @param registry the end that the runner speaks to
 * @throws AppError conflict when the copy is over, denied when he may not any more
 */
export type IssueCopyToken = (
  transfer: number,
  registry: string,
  task: number,
) => Promise<{ token: string; expiresIn: number }>

export function createCopyTokens({
  db,
  clock,
  tokens,
  access,
  service,
}: {
  db: Db
  clock: Clock
  tokens: RegistryTokens
  access: TransferAccess
  /** Whom the token is for. */
  service: string
}): IssueCopyToken {
  /** As the account is now; the token falls with it. */
  async function principalOf(account: number, task: number): Promise<Principal> {
    const row = await db.query
      .selectFrom('account')
      .select(stateColumns)
      .where('account.id', '=', account)
      .where((where) => mayEnter(where, clock()))
      .executeTakeFirst()
    if (!row) throw new AppError('denied', 'the account that asked for the copy is gone')
    const { id, kind, name, isAdmin, epoch, expiresAt } = stateOf(row)
    return {
      kind,
      account: id,
      name,
      isAdmin,
      login: {
        method: 'registry-token',
        epoch,
        expiresAt,
        credential: { kind: 'runner-task', id: task },
      },
    }
  }

  return async (id, registry, task) => {
    const row = await selectTransfers(db.query)
      .where('transfer.id', '=', id)
      .where('transfer.finished_at', 'is', null)
      .executeTakeFirst()
    if (!row) throw new AppError('conflict', `transfer ${id} is over`)
    const transfer = transferOf(row)
    const { source, target } = transfer
    if (source.registry !== null && target.registry !== null) {
      // One that knows of such copies asks for no token.
      throw new AppError(
        'denied',
        'the program of the runner is older than this server and cannot copy between two registries; upgrade it',
        because('runner_too_old', {}),
      )
    }
    const isIn = source.registry === registry && target.registry === null
    const isOut = target.registry === registry && source.registry === null
    if (!isIn && !isOut) throw new AppError('conflict', `transfer ${id} is another one`)
    const principal = await principalOf(row.requested_by, task)
    await demandTransfer(access, principal, { ...transfer, project: row.project })
    const name = parseRepositoryName((isIn ? target : source).repository)
    if (!name) throw new AppError('internal', `transfer ${id} has no repository here`)
    const project = await access.projects.find(name.project)
    const grant = {
      type: 'repository' as const,
      name: name.full,
      actions: isIn ? ['pull', 'push'] : ['pull'],
      ...(project ? { project: project.id } : {}),
    }
    const { token, expiresIn } = await tokens.issue(principal, [grant], service)
    return { token, expiresIn }
  }
}
