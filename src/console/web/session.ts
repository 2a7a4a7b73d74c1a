import { queryOptions, useQuery } from '@tanstack/react-query'
import { get, keepCsrfToken } from './api/client.ts'
import type { Session } from './api/types.ts'

/** Who is signed in; what every page asks first. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }) => {
    const session = await get<Session>('/session', {}, signal)
    keepCsrfToken(session.csrfToken)
    return session
  },
  staleTime: 60_000,
})

const NOBODY: Session = {
  account: null,
  csrfToken: null,
  expiresAt: null,
  mayCreateProjects: false,
  hasGeneratedPassword: false,
}

export function useSession(): Session {
  return useQuery(sessionQuery).data ?? NOBODY
}
