import { AppError } from '../../lib/errors.ts'
import type { Pusher } from '../../registry/repository-openings.ts'
import { accountOf, challenged, refusal, type V2Deps, type V2Request } from './v2.ts'

/** What a token to push with must hold. */
export const PUSH = { scope: 'repository:{name}:pull,push' } as const

/**
 * The caller as one who pushes, asked again now: the body that was read before may have taken
 * longer than a permission lasts.
 * @throws AppError denied, unauthenticated, insufficient_scope
 */
export async function pusherOf(
  { authenticator, authorizer, registry, settings }: V2Deps,
  { context, principal: before, asked, name }: V2Request,
): Promise<Pusher> {
  const principal = await challenged(context, PUSH, asked, () => authenticator.renew(before))
  const project = await registry.projects.find(name.project)
  const decision = await authorizer.authorize(principal, 'repository:push', {
    kind: 'repository',
    repository: name.full,
    project,
  })
  if (!decision.allowed) throw refusal(decision, context, PUSH, asked)
  const creates = await authorizer.authorize(principal, 'project:create', { kind: 'system' })
  return {
    account: accountOf(principal),
    mayCreateProject: creates.allowed,
    isAdministrator: principal.isAdmin,
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
