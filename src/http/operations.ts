import type { Authenticator } from '../accounts/authenticate.ts'
import { equalSecrets } from '../lib/secrets.ts'
import type { Face, RequestContext } from './context.ts'

export interface OperationsDeps {
  authenticator: Authenticator
  /** True while this installation can do its work. */
  ready(): Promise<boolean>
  databaseAnswers(): Promise<boolean>
  /** Why nothing can be pushed although all else works; undefined: it can. */
  whyReadOnly(): Promise<string | undefined>
  /** Text format of Prometheus. */
  metrics(): Promise<string>
  settings: { metricsPublic: boolean; metricsToken: string | undefined }
}

/** `/` (a hint), `/healthz` (this process lives), `/readyz` (send traffic here) and `/metrics`. */
export function createOperations(deps: OperationsDeps): Face {
  async function mayReadMetrics({ request, address }: RequestContext): Promise<boolean> {
    const { metricsPublic, metricsToken } = deps.settings
    if (metricsPublic) return true
    const header = request.headers.get('authorization')
    if (metricsToken && equalSecrets(header ?? '', `Bearer ${metricsToken}`)) return true
    const principal = await deps.authenticator.authenticateApi(header, address)
    return principal.isAdmin
  }

  /** Pulls go on from a full disk: who says no here is sent none. */
  async function state(): Promise<string> {
    const why = await deps.whyReadOnly()
    return why === undefined ? 'ready' : `ready, but to read only: ${why}`
  }

  return {
    async handle(context) {
      switch (context.path) {
        case '/':
          context.route = 'root'
          return text(200, ROOT_HINT)
        case '/healthz':
          context.route = 'healthz'
          context.isProbe = true
          return text(200, 'ok')
        case '/readyz':
          context.route = 'readyz'
          context.isProbe = true
          if (await deps.ready()) return text(200, await state())
          return text(
            503,
            (await deps.databaseAnswers())
              ? 'not ready'
              : 'not ready: the database does not answer',
          )
        default:
          context.route = 'metrics'
          context.isProbe = true
          if (!(await mayReadMetrics(context))) {
            return text(
              401,
              'sign in as a system administrator, or use the token of metrics.token',
              {
                'www-authenticate': 'Basic realm="entrepot"',
              },
            )
          }
          return new Response(await deps.metrics(), {
            headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
          })
      }
    },
    renderError(error) {
      return text(503, error instanceof Error ? error.message : 'not available')
    },
  }
}

/** What stands at `/` for programs, and for everybody where there is no console. */
export const ROOT_HINT =
  'This is Entrepot, a container registry. Sign in with: docker login <this address>\n' +
  'REST API: /api/v1/openapi.json   state: /readyz   metrics: /metrics'

function text(status: number, message: string, headers: Record<string, string> = {}): Response {
  return new Response(`${message}\n`, {
    status,
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
      ...headers,
    },
  })
}
