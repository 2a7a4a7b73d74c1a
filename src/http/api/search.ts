import { z } from '@hono/zod-openapi'
import type { Viewer } from '../../registry/offset-list.ts'
import { positionOf, type SearchPosition, searchNames } from '../../registry/search.ts'
import type { ApiDeps } from './api.ts'
import { afterInvalid, listReply, readPage } from './pages.ts'
import { type Endpoint, endpoint, route } from './route.ts'
import { id, page, pageOf, text } from './schemas.ts'

const Found = z
  .object({
    kind: z
      .enum(['project', 'repository', 'chart'])
      .openapi({ description: '`chart`: a repository with Helm charts' }),
    id,
    project: z.string(),
    repository: z.string().nullable().openapi({ description: 'The path below the project' }),
    summary: z.string(),
  })
  .openapi('Found')

export const searchRoutes = {
  names: route({
    name: 'search.names',
    method: 'GET',
    path: '/search',
    summary: 'Look for projects, repositories and charts by a part of their name',
    permission: 'open',
    on: 'system',
    query: {
      ...page,
      q: text(255)
        .refine((value) => value.trim() !== '', { error: 'must not be empty' })
        .openapi({ description: 'Projects come first, then repositories', example: 'shop/we' }),
    },
    output: pageOf(Found),
  }),
}

export function searchEndpoints({ db }: ApiDeps): Endpoint[] {
  return [
    endpoint(searchRoutes.names, async ({ principal, query: { q, limit, after } }) => {
      const viewer: Viewer = principal.isAdmin ? 'all' : principal.account
      const from = readPosition(after)
      return listReply(
        await readPage(
          limit,
          (count) => searchNames(db, { text: q.trim(), viewer, limit: count, after: from }),
          (found) => writePosition(positionOf(found)),
        ),
      )
    }),
  ]
}

const writePosition = ({ kind, id, name }: SearchPosition): string => `${kind}-${id}-${name}`

/** @throws AppError invalid_input */
function readPosition(after: string | undefined): SearchPosition | undefined {
  if (after === undefined) return undefined
  const [, kind, id, name] = /^(project|repository)-(\d{1,15})-(.+)$/s.exec(after) ?? []
  if (kind === undefined || id === undefined || name === undefined) throw afterInvalid()
  return { kind: kind === 'project' ? 'project' : 'repository', id: Number(id), name }
}
