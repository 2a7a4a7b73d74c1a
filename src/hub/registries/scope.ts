import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type { Queryable, Tx } from '../../store/db/database.ts'
import { LIVE } from '../../store/db/prepared.ts'
import { listRegistries } from './list.ts'
import { type RegistryRecord, SELF } from './record.ts'

const MOST_TOLD = 20

/**
 * Writes down which projects may use a registry.
 * @throws AppError invalid_input when one of them does not exist
 */
export async function writeProjects(
  tx: Tx,
  registry: string,
  projects: 'all' | readonly number[],
): Promise<void> {
  await tx.deleteFrom('registry_project').where('registry', '=', registry).execute()
  if (projects === 'all' || projects.length === 0) return
  const ids = [...new Set(projects)].sort((a, b) => a - b)
  const found = await tx
    .selectFrom('project')
    .select('id')
    .where('id', 'in', ids)
    .where('state', '=', LIVE)
    .execute()
  const missing = ids.find((id) => !found.some((row) => row.id === id))
  if (missing !== undefined) {
    throw new AppError('invalid_input', `there is no project with id ${missing}`, {
      field: 'projects',
    })
  }
  await tx
    .insertInto('registry_project')
    .values(ids.map((project) => ({ registry, project })))
    .execute()
}

/**
 * The registry that a call of a project means: by id or name, or the default where none is named.
 * One that is out of the project's scope is as good as none.
 *
 * @throws AppError not_found, denied (the default is not for this project), invalid_input (`self`,
 *   or a name that several have); the message lists those in scope
 */
export async function resolveRegistry(
  on: Queryable,
  project: { id: number; name: string },
  asked: string | undefined,
): Promise<RegistryRecord> {
  if (asked?.toLowerCase() === SELF) {
    throw new AppError(
      'invalid_input',
      `"${SELF}" is this Entrepot itself, no external registry`,
      because('registry_is_self', { name: SELF }),
    )
  }
  const inScope = await listRegistries(on, { project: project.id })
  if (asked === undefined) return defaultOf(on, project, inScope)

  const named = inScope.find(({ id }) => id === asked)
  const called = named ? [named] : inScope.filter(({ name }) => name === asked)
  const [found, other] = called
  if (found && !other) return found
  if (other) {
    const ids = called.map(({ id }) => id).join(', ')
    throw new AppError(
      'invalid_input',
      `several registries of project "${project.name}" are called "${asked}"; name one by its id: ${ids}`,
      {
        field: 'registry',
        ...because('registry_ambiguous', { name: asked, project: project.name }),
      },
    )
  }
  const shown = asked.slice(0, 128)
  throw new AppError(
    'not_found',
    `there is no registry "${shown}" for project "${project.name}"; ${tell(inScope)}`,
    {
      field: 'registry',
      ...because('registry_unknown', { name: shown, project: project.name }),
    },
  )
}

async function defaultOf(
  on: Queryable,
  project: { name: string },
  inScope: readonly RegistryRecord[],
): Promise<RegistryRecord> {
  const found = inScope.find(({ isDefault }) => isDefault)
  if (found) return found
  const row = await on.selectFrom('registry_default').select('registry').executeTakeFirst()
  if (row?.registry) {
    throw new AppError(
      'denied',
      `the default registry is not for project "${project.name}"; ${tell(inScope)}`,
      {
        field: 'registry',
        ...because('registry_default_elsewhere', { project: project.name }),
      },
    )
  }
  throw new AppError('not_found', `there is no default registry; ${tell(inScope)}`, {
    field: 'registry',
    ...because('registry_default_missing', {}),
  })
}

function tell(inScope: readonly RegistryRecord[]): string {
  if (inScope.length === 0) return 'a system administrator can integrate one for it'
  const names = inScope.slice(0, MOST_TOLD).map(({ name }) => name)
  const more = inScope.length - names.length
  return `it may use ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
