import type { Authorizer } from '../../accounts/authorize.ts'
import type { Principal } from '../../accounts/principal.ts'
import { AppError, type ErrorDetails } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import {
  isRepositoryPath,
  isTag,
  parseReference,
  parseRepositoryName,
} from '../../oci/reference.ts'
import { projectRef } from '../../registry/project-ref.ts'
import type { Project, Projects } from '../../registry/projects.ts'
import { type RegistryRecord, SELF } from '../registries/record.ts'
import type { Registries } from '../registries/registries.ts'
import { type Carried, carrierOf } from './carrier.ts'
import { parsePlatform } from './platforms.ts'
import type { Transfer, TransferEnd, TransferOptions } from './transfer.ts'

/** What somebody asks to be copied. */
export interface AskedTransfer {
  /** Whose registries are meant; absent: that of a repository of ours. */
  project?: string | undefined
  /** `registry`: `self`, an id or a name; absent: the default. */
  source: { registry?: string | undefined; repository: string; reference?: string | undefined }
  target: {
    registry?: string | undefined
    repository?: string | undefined
    tag?: string | undefined
  }
  platforms?: readonly string[] | undefined
  index?: TransferOptions['index'] | undefined
  referrers?: boolean | undefined
  overwrite?: boolean | undefined
}

/** What transfers need to know of registries. */
export type RegistriesOfTransfers = Pick<Registries, 'get' | 'open' | 'resolve'>

export interface TransferAccess {
  authorizer: Authorizer
  projects: Projects
  registries: RegistriesOfTransfers
}

export type ResolvedTransfer = Pick<Transfer, 'source' | 'target' | 'options'> & {
  project: Project
}

/**
 * What is meant by what was asked, for somebody who may do it: pull from a repository of ours,
 * push to one, use the registries of others for a project of his.
 *
 * @throws AppError invalid_input, name_invalid, project_unknown, not_found, denied
 */
export async function resolveTransfer(
  access: TransferAccess,
  principal: Principal,
  asked: AskedTransfer,
): Promise<ResolvedTransfer> {
  const project = await projectOf(access, principal, asked)
  const { source, target } = asked
  const external = !isSelf(source.registry) || !isSelf(target.registry)
  if (external) await demandUse(access, principal, project)

  const from = await endOf(access, project, source.registry)
  const sourceRepository = repositoryOf(from, source.repository, 'source.repository')
  const reference = parseReference(source.reference ?? 'latest')
  if (!reference) {
    throw invalid(
      'source.reference',
      'must be a tag or a digest',
      because('tag_invalid', { name: (source.reference ?? '').slice(0, 140) }),
    )
  }

  const to = await endOf(access, project, target.registry)
  carrierOf(from.record, to.record)
  // As Zadig distributes: the namespace of the registry, the last segment of the name, the tag.
  const last = sourceRepository.slice(sourceRepository.lastIndexOf('/') + 1)
  const prefix = to.registry === null ? project.name : to.namespace
  const bare = prefix === '' ? last : `${prefix}/${last}`
  const targetRepository = repositoryOf(to, target.repository ?? bare, 'target.repository')
  const tag = target.tag ?? (reference.kind === 'tag' ? reference.tag : null)
  if (tag !== null && !isTag(tag)) {
    throw invalid('target.tag', 'must be a tag', because('tag_invalid', { name: tag }))
  }

  const resolved = {
    project,
    source: {
      ...endIn(from, sourceRepository),
      reference: reference.kind === 'tag' ? reference.tag : reference.digest,
    },
    target: { ...endIn(to, targetRepository), tag },
    options: {
      platforms: (asked.platforms ?? []).map((text) => {
        parsePlatform(text)
        return text
      }),
      index: asked.index ?? 'keep',
      referrers: asked.referrers ?? true,
      overwrite: asked.overwrite ?? true,
    },
  }
  demandDifferent(resolved)
  await demandEnds(access, principal, resolved)
  return resolved
}

/**
 * That he still may, and somebody can: asked when it begins, and again and again while it goes on.
 * @returns the runner's part, where it needs one
 * @throws AppError denied, not_found (the registry is out of the project's scope)
 */
export async function demandTransfer(
  access: TransferAccess,
  principal: Principal,
  transfer: Pick<ResolvedTransfer, 'source' | 'target'> & { project: number },
): Promise<Carried | undefined> {
  const { source, target } = transfer
  let carried: Carried | undefined
  if (source.registry !== null || target.registry !== null) {
    const project = await access.projects.get(transfer.project)
    if (!project) {
      const why = because('transfer_project_gone', {})
      throw new AppError('project_unknown', 'the project of the transfer is gone', why)
    }
    await demandUse(access, principal, project)
    const resolve = async ({ registry }: TransferEnd) => {
      if (registry === null) return undefined
      const found = await access.registries.resolve(project, registry)
      if (found.id === registry) return found
      // Another one is called as the id of this, which is not there any more for the project.
      const why = because('registry_gone', {})
      throw new AppError('not_found', 'the registry is not there for the project any more', why)
    }
    // A registry that was given to another runner, or a password, is not the same end any more.
    carried = carrierOf(await resolve(source), await resolve(target))
  }
  await demandEnds(access, principal, transfer)
  return carried
}

/** Pull from a repository of ours, push to one. */
async function demandEnds(
  { authorizer, projects }: TransferAccess,
  principal: Principal,
  { source, target }: Pick<ResolvedTransfer, 'source' | 'target'>,
): Promise<void> {
  const ours = [
    ...(source.registry === null ? [[source.repository, 'repository:pull'] as const] : []),
    ...(target.registry === null ? [[target.repository, 'repository:push'] as const] : []),
  ]
  for (const [repository, action] of ours) {
    const name = parseRepositoryName(repository)
    const project = name && (await projects.find(name.project))
    await authorizer.demand(principal, action, { kind: 'repository', repository, project })
  }
}

async function demandUse(
  { authorizer }: TransferAccess,
  principal: Principal,
  { id, name, is_public: isPublic }: Project,
): Promise<void> {
  const project = { id, name, isPublic: isPublic === 1 }
  await authorizer.demand(principal, 'registry:use', { kind: 'project', project })
}

async function projectOf(
  { projects, authorizer }: TransferAccess,
  principal: Principal,
  { project: named, source, target }: AskedTransfer,
): Promise<Project> {
  const ours = [
    isSelf(target.registry) ? target.repository : undefined,
    isSelf(source.registry) ? source.repository : undefined,
  ].flatMap((repository) => (repository === undefined ? [] : [projectIn(repository)]))
  const names = named === undefined ? ours : [named]
  if (names.length === 0) {
    throw invalid(
      'project',
      'is needed: it says in whose scope the registries are',
      because('field_required', {}),
    )
  }
  for (const name of names) {
    const project = await projects.get(name)
    if (!project) continue
    const ref = projectRef(project)
    const resource = { kind: 'project', project: ref } as const
    const seen = await authorizer.authorize(principal, 'project:read', resource)
    if (seen.allowed) return project
  }
  throw new AppError(
    'project_unknown',
    `project "${(names[0] ?? '').slice(0, 255)}" does not exist, or you may not see it`,
    {
      field: 'project',
      ...because('project_unknown', { name: (names[0] ?? '').slice(0, 255) }),
    },
  )
}

const projectIn = (repository: string): string => parseRepositoryName(repository)?.project ?? ''

const isSelf = (registry: string | undefined): boolean => registry?.toLowerCase() === SELF

/** A registry as one end, with the namespace that images get there. */
type End = Pick<TransferEnd, 'registry' | 'name'> & {
  namespace: string
  record: RegistryRecord | undefined
}

async function endOf(
  { registries }: TransferAccess,
  project: Project,
  asked: string | undefined,
): Promise<End> {
  if (isSelf(asked)) return { registry: null, name: SELF, namespace: '', record: undefined }
  const record = await registries.resolve(project, asked)
  return { registry: record.id, name: record.name, namespace: record.namespace, record }
}

const endIn = ({ registry, name }: End, repository: string): TransferEnd => ({
  registry,
  name,
  repository,
})

/** As the registry itself names it. */
function repositoryOf({ registry }: End, text: string, field: string): string {
  const full = registry === null ? parseRepositoryName(text)?.full : text
  if (full !== undefined && isRepositoryPath(full)) return full
  const name = text.slice(0, 255)
  const reason = because('repository_name_invalid', { name })
  throw invalid(field, `"${name}" is not a repository name`, reason)
}

function demandDifferent({ source, target }: Pick<ResolvedTransfer, 'source' | 'target'>): void {
  const same = source.registry === target.registry && source.repository === target.repository
  if (!same || source.reference !== target.tag) return
  throw invalid(
    'target',
    'is where the image is already; give another tag or repository',
    because('transfer_same_place', {}),
  )
}

function invalid(field: string, message: string, reason: ErrorDetails): AppError {
  return new AppError('invalid_input', `"${field}" ${message}`, { field, ...reason })
}
