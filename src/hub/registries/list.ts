import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely'
import type { ProviderName } from '../../client/provider.ts'
import type { Queryable } from '../../store/db/database.ts'
import { LIVE } from '../../store/db/prepared.ts'
import type { Schema } from '../../store/db/schema.ts'
import type { RegistryHealth } from '../../store/db/schema-hub.ts'
import { type RegistryRecord, recordsOf } from './record.ts'

export interface RegistryFilter {
  id?: string | undefined
  /** Exactly this one. */
  name?: string | undefined
  /** Only names that contain this, whatever their case. */
  nameHas?: string | undefined
  providers?: readonly ProviderName[] | undefined
  /** Those that this project may use. */
  project?: number | undefined
  /** Without the scheme, and exactly. */
  host?: string | undefined
  health?: readonly RegistryHealth[] | undefined
  enterpriseProjectId?: string | undefined
  /** Those that projects of this account may use, with these projects alone; undefined: all. */
  visibleTo?: number | null | undefined
}

export interface RegistryPage extends RegistryFilter {
  /** `seq` of the last of the page before. */
  after?: number | undefined
  /** For faces that count from the beginning. */
  offset?: number | undefined
  /** undefined: all that there are. */
  limit?: number | undefined
}

/** Registries in the order of their creation, with their projects, in one statement. */
export async function listRegistries(on: Queryable, page: RegistryPage): Promise<RegistryRecord[]> {
  return recordsOf(await recordQuery(on, page).execute())
}

/** One with what its secret is sealed to, as both were at one moment. */
export async function readSealed(
  on: Queryable,
  id: string,
): Promise<{ registry: RegistryRecord; sealed: string | null } | undefined> {
  const rows = await recordQuery(on, { id }).execute()
  const [registry] = recordsOf(rows)
  return registry && { registry, sealed: rows[0]?.sealed_secret ?? null }
}

function recordQuery(on: Queryable, page: RegistryPage) {
  const { visibleTo, limit, offset, after } = page
  let chosen = on
    .selectFrom('registry')
    .selectAll()
    .where((eb) => fits(eb, page))
    .orderBy('seq')
  if (after !== undefined) chosen = chosen.where('seq', '>', after)
  // SQLite takes an offset only together with a limit.
  if (limit !== undefined || offset) chosen = chosen.limit(limit ?? Number.MAX_SAFE_INTEGER)
  if (offset) chosen = chosen.offset(offset)
  return on
    .selectFrom(chosen.as('r'))
    .leftJoin('registry_project as rp', 'rp.registry', 'r.id')
    .leftJoin('project as p', (join) => {
      const known = join.onRef('p.id', '=', 'rp.project').on('p.state', '=', LIVE)
      if (visibleTo === undefined) return known
      return known.on((eb) => eb('p.id', 'in', membershipsOf(visibleTo)))
    })
    .leftJoin('registry_default as d', 'd.registry', 'r.id')
    .selectAll('r')
    .select(['d.registry as default_registry', 'p.id as project_id', 'p.name as project_name'])
    .orderBy('r.seq')
    .orderBy('p.name')
}

export async function countRegistries(on: Queryable, filter: RegistryFilter): Promise<number> {
  const { count } = await on
    .selectFrom('registry')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where((eb) => fits(eb, filter))
    .executeTakeFirstOrThrow()
  return Number(count)
}

function fits(eb: ExpressionBuilder<Schema, 'registry'>, filter: RegistryFilter) {
  const { id, name, nameHas, providers, project, host, health, visibleTo } = filter
  const all: Expression<SqlBool>[] = []
  const inProjects = (projects: Expression<SqlBool>) =>
    eb.or([
      eb('registry.all_projects', '=', sql.lit(1)),
      eb('registry.id', 'in', eb.selectFrom('registry_project').select('registry').where(projects)),
    ])
  if (id !== undefined) all.push(eb('registry.id', '=', id))
  if (name !== undefined) all.push(eb('registry.name', '=', name))
  if (nameHas) {
    const pattern = `%${nameHas.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`
    all.push(sql<SqlBool>`lower(registry.name) like ${pattern} escape '\\'`)
  }
  if (providers) all.push(oneOf('registry.provider', providers))
  if (host !== undefined) {
    all.push(eb('registry.address', 'in', [`https://${host}`, `http://${host}`]))
  }
  if (health) all.push(oneOf('registry.health', health))
  if (filter.enterpriseProjectId !== undefined) {
    all.push(eb('registry.enterprise_project_id', '=', filter.enterpriseProjectId))
  }
  if (project !== undefined) all.push(inProjects(sql`registry_project.project = ${project}`))
  if (visibleTo !== undefined) {
    all.push(inProjects(sql`registry_project.project in (${membershipsOf(visibleTo)})`))
  }
  return eb.and(all)
}

/** PostgreSQL takes no empty list. */
const oneOf = (column: string, values: readonly string[]) =>
  values.length === 0
    ? sql<SqlBool>`1 = 0`
    : sql<SqlBool>`${sql.ref(column)} in (${sql.join(values)})`

function membershipsOf(account: number | null) {
  return sql<number>`(select m.project from member m join project l on l.id = m.project
    where m.account = ${account ?? -1} and l.state = ${LIVE})`
}
