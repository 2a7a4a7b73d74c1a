import { AppError } from '../../lib/errors.ts'
import type { Pusher } from '../../registry/repositories.ts'
import { accountOf, type V2Deps, type V2Request } from './v2.ts'

/**
 * The caller as one who pushes, asked again now: the body that was read before may have taken
 * longer than a permission lasts.
 * @throws AppError denied, unauthenticated, insufficient_scope
 */
export async function pusherOf(
  { authorizer, registry, settings }: V2Deps,
  { principal, name }: V2Request,
): Promise<Pusher> {
  const project = await registry.projects.find(name.project)
  await authorizer.demand(principal, 'repository:push', {
    kind: 'repository',
    repository: name.full,
    project,
  })
  const creates = await authorizer.authorize(principal, 'project:create', { kind: 'system' })
  return {
    account: accountOf(principal),
    mayCreateProject: creates.allowed,
    // Nobody could read what an anonymous caller pushed into a private project.
    publicProject: settings.publicByDefault || principal.kind === 'anonymous',
  }
}

/** @throws AppError quota_exceeded, before the bytes are sent */
export function announcedSize(request: Request): number {
  const text = request.headers.get('content-length')
  const size = text === null ? 0 : Number(text)
  if (Number.isSafeInteger(size) && size >= 0) return size
  throw new AppError('size_invalid', `Content-Length is "${text}"`)
}
