import type { Accounts } from '../../accounts/accounts.ts'
import type { Principal } from '../../accounts/principal.ts'
import type { Login } from '../../client/provider.ts'
import type { Purpose } from '../../hub/use/handout-types.ts'
import type { Clock } from '../../lib/clock.ts'
import { AppError, isAppError } from '../../lib/errors.ts'
import { projectRef } from '../../registry/project-ref.ts'
import type { Project } from '../../registry/projects.ts'
import type { RequestContext } from '../context.ts'
import type { RawRequest } from './route.ts'

/*
 * A login to Entrepot itself, for pipelines that use it as their registry. Secrets are kept as
 * hashes, so none can be handed out: what goes back is what came with the request, or a new token.
 */

/** Of a token that is made because somebody came with a password. */
const TOKEN_LIFETIME_MS = 12 * 3_600_000

/** Robots and API tokens: what may stand in a pipeline. */
export interface GivenLogin {
  username: string
  password: string
}

export interface LoginAsked {
  project: Project
  purpose: Purpose
  /** To be used in place of the caller's own. */
  given: GivenLogin | undefined
  context: RequestContext
  principal: Principal
  audit: RawRequest['audit']
}

/**
 * The login that was given, else the robot's secret or API token that the request came with, else a
 * new API token of the caller, for twelve hours. Passwords never.
 *
 * @throws AppError invalid_input (the given one is no good), denied (it may not do what it is for)
 */
export function createOwnLogin({ accounts, clock }: { accounts: Accounts; clock: Clock }) {
  const { authenticator, authorizer, apiTokens } = accounts

  async function checkGiven(asked: LoginAsked, given: GivenLogin): Promise<Login> {
    const { project, purpose, context } = asked
    const { username, password } = given
    const principal = await authenticator
      .signIn(username, password, context.address)
      .catch((error: unknown) => {
        if (!isAppError(error, 'unauthenticated')) throw error
        throw wrong(`the login of "${username}" is no good: ${error.message}`)
      })
    if (principal.login?.method === 'password') {
      throw wrong('this is a password; pipelines get the secret of a robot or an API token')
    }
    const pushes = purpose === 'build' || purpose === 'distribute'
    await authorizer.demand(principal, pushes ? 'repository:push' : 'repository:pull', {
      kind: 'project',
      project: projectRef(project),
    })
    return loginOf(principal, password)
  }

  return async (asked: LoginAsked): Promise<Login> => {
    const { given, context, principal, audit, project, purpose } = asked
    if (given) return checkGiven(asked, given)
    const method = principal.login?.method
    const sent = secretIn(context.request.headers.get('authorization'))
    if (sent !== undefined && (method === 'secret' || method === 'api-token')) {
      return loginOf(principal, sent)
    }
    if (principal.kind !== 'user' || principal.account === null) {
      throw wrong('give the name and secret of a robot as "login"')
    }
    const now = clock()
    const name = `${purpose} for ${project.name}`.slice(0, 128)
    const expiresAt = Math.min(
      now + TOKEN_LIFETIME_MS,
      principal.login?.expiresAt ?? Number.POSITIVE_INFINITY,
    )
    const { token } = await apiTokens.create(principal.account, { name, expiresAt }, (tx, { id }) =>
      audit(tx, { resource: name, details: { tokenId: id, expiresAt } }),
    )
    return { username: principal.name, password: token, expiresAt }
  }
}

function loginOf({ name, login }: Principal, password: string): Login {
  const expiresAt = login?.expiresAt ?? null
  return { username: name, password, ...(expiresAt === null ? {} : { expiresAt }) }
}

/** What the authenticator has just found good. */
function secretIn(authorization: string | null): string | undefined {
  const [scheme = '', value = ''] = authorization?.trim().split(/\s+/) ?? []
  if (scheme.toLowerCase() === 'bearer') return value
  if (scheme.toLowerCase() !== 'basic') return undefined
  const pair = Buffer.from(value, 'base64').toString('utf8')
  return pair.slice(pair.indexOf(':') + 1)
}

function wrong(message: string): AppError {
  return new AppError('invalid_input', message, { field: 'login' })
}
