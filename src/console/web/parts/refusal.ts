import { ApiError } from '../api/client.ts'

/*
 * A page that its reader may not see is thrown away for the refusal, which then stands alone: what
 * could be done on the page would be refused too. The router shows what is thrown.
 */

/** Of a page that asks the server for nothing which would be refused before something is sent. */
export const refusal = (): ApiError => new ApiError(403, { code: 'denied', detail: '' })

/** What a page that was read says about its reader; undefined: it is for him, or still being read. */
export function refusalOf(read: {
  error: unknown
  data: unknown
  isFetching: boolean
}): ApiError | undefined {
  const { error, data, isFetching } = read
  // Else one who comes back could never ask again.
  if (!(error instanceof ApiError) || isFetching) return undefined
  // When a session ends what is shown stays until the way leads to the sign-in.
  return error.status === 403 || (error.status === 401 && data === undefined) ? error : undefined
}
