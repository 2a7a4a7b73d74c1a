import type { Log } from '../../lib/log.ts'
import type { Face } from '../context.ts'
import { TOKEN_SERVICE } from '../v2/challenge.ts'
import { asAppError } from '../v2/errors.ts'
import { errorResponse } from './errors.ts'
import type { TokenEndpoint } from './token.ts'

/** `/token` as a face of the server. */
export function tokenFace(endpoint: TokenEndpoint, log: Log): Face {
  return {
    handle(context) {
      context.route = 'token'
      return endpoint(context.request, { address: context.address, service: TOKEN_SERVICE })
    },
    renderError(error, context) {
      log.error('request failed', { id: context.requestId, route: context.route, error })
      return errorResponse(asAppError(error, context.requestId), TOKEN_SERVICE)
    },
  }
}
