import { type SqlBool, sql } from 'kysely'
import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type { Tx } from '../../store/db/database.ts'
import { withoutScheme } from './address.ts'

/** Where a name has to be the only one. */
export interface NameScope {
  /** The registry itself, when it is there already. */
  id?: string | undefined
  projects: 'all' | readonly number[]
  enterpriseProjectId: string
}

/**
 * Names are chosen within projects: two registries may have the same one when no project and
 * enterprise project sees both. The default's row must be locked.
 * @throws AppError conflict
 */
export async function demandFreeName(tx: Tx, name: string, scope: NameScope): Promise<void> {
  if (!(await isTaken(tx, name, scope))) return
  throw new AppError('conflict', `a registry "${name}" exists already; choose another name`, {
    field: 'name',
    ...because('name_taken', { name }),
  })
}

/** For records that come without one: `harbor.example.com/team`, with a number where needed. */
export async function freeName(
  tx: Tx,
  { address, namespace }: { address: string; namespace: string },
  scope: NameScope,
): Promise<string> {
  const base = [withoutScheme(address), namespace].filter((part) => part !== '').join('/')
  for (let count = 1; ; count++) {
    const ending = count === 1 ? '' : `-${count}`
    const name = base.slice(0, 128 - ending.length) + ending
    if (!(await isTaken(tx, name, scope))) return name
  }
}

async function isTaken(tx: Tx, name: string, scope: NameScope): Promise<boolean> {
  const { id, projects, enterpriseProjectId } = scope
  const row = await tx
    .selectFrom('registry')
    .select('id')
    .where('name', '=', name)
    .where('enterprise_project_id', '=', enterpriseProjectId)
    .where('id', '!=', id ?? '')
    .where((eb) => {
      if (projects === 'all') return sql<SqlBool>`1 = 1`
      const shared = eb
        .selectFrom('registry_project')
        .select('registry')
        .where('project', 'in', [0, ...projects])
      return eb.or([eb('all_projects', '=', 1), eb('id', 'in', shared)])
    })
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
