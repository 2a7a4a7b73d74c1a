import { OpenAPIHono, z } from '@hono/zod-openapi'
import packageJson from '../../../package.json'
import { ruleOf } from '../../accounts/permissions.ts'
import type { ApiRoute } from './route.ts'
import { says } from './schemas.ts'

/** The prefix of every path. */
export const BASE = '/api/v1'

const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z
      .string()
      .openapi({ description: 'For people: what is wrong, why, who can change it' }),
    code: z.string().openapi({ description: 'For programs', example: 'precondition_failed' }),
    reason: z.string().optional().openapi({
      description: 'What exactly it is, where programs may want to know; with `params`',
      example: 'project_not_empty',
    }),
    params: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
    requestId: z.string().openapi({ description: 'Stands in the log' }),
    errors: z
      .array(z.object({ field: z.string().optional(), message: z.string(), says }))
      .optional(),
  })
  .openapi('Problem')

const project = z
  .string()
  .openapi({ description: 'Name, or `id:` and the id', example: 'payments' })
const repository = z
  .string()
  .openapi({ description: 'Name within the project, slashes as %2F', example: 'web%2Ffront' })
const ifMatch = z.object({
  'If-Match': z
    .string()
    .optional()
    .openapi({ description: 'ETag that was seen; 412 when it is out of date', example: '"3"' }),
})

/** The OpenAPI 3.1 document of the routes. */
export function createDocument(routes: readonly ApiRoute[]) {
  const app = new OpenAPIHono()
  const registry = app.openAPIRegistry
  registry.registerComponent('securitySchemes', 'basic', {
    type: 'http',
    scheme: 'basic',
    description: 'Name and password, API token or secret of a robot',
  })
  registry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
    description: 'API token',
  })
  registry.registerComponent('securitySchemes', 'runner', {
    type: 'http',
    scheme: 'bearer',
    description: 'Credential of a runner, good for its own work alone',
  })
  registry.registerComponent('securitySchemes', 'session', {
    type: 'apiKey',
    in: 'cookie',
    name: '__Host-entrepot',
    description:
      'Of `POST /session`; without TLS it is called `entrepot`. A change also needs the `csrfToken` ' +
      'of `GET /session` in the header `X-CSRF-Token`.',
  })
  for (const route of routes) registry.registerPath(operationOf(route))
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Entrepot',
      version: packageJson.version,
      description: 'Lists are pages: pass `next` as `after`. Times are epoch milliseconds.',
      license: { name: packageJson.license },
    },
    servers: [{ url: BASE }],
    tags: [...new Set(routes.map(tagOf))].map((name) => ({ name })),
  })
}

type Operation = Parameters<OpenAPIHono['openAPIRegistry']['registerPath']>[0]

function operationOf(route: ApiRoute): Operation {
  const { method, path, name, summary, params, query, body, output, status, sample } = route
  const inPath = z.object({
    ...(path.includes('{project}') ? { project } : {}),
    ...(path.includes('{repository}') ? { repository } : {}),
    ...params.shape,
  })
  const json = (schema: z.ZodType) => ({ 'application/json': { schema } })
  return {
    method: method.toLowerCase() as Lowercase<ApiRoute['method']>,
    path,
    operationId: name,
    summary,
    description: whoMay(route),
    tags: [tagOf(route)],
    security:
      route.permission === 'runner'
        ? [{ runner: [] }]
        : [...(isPublic(route) ? [{}] : []), { basic: [] }, { token: [] }, { session: [] }],
    request: {
      params: inPath,
      query,
      ...(route.versioned && method !== 'GET' && method !== 'POST' ? { headers: ifMatch } : {}),
      ...(route.takesBody
        ? {
            body: {
              required: sample !== undefined,
              content: {
                'application/json': { schema: body, ...(sample ? { example: sample } : {}) },
              },
            },
          }
        : {}),
    },
    responses: {
      [status]: {
        description: status === 204 ? 'Done' : 'The answer',
        ...(status === 204
          ? {}
          : {
              content: route.streams ? { 'text/event-stream': { schema: output } } : json(output),
            }),
      },
      default: {
        description: 'What went wrong',
        content: { 'application/problem+json': { schema: Problem } },
      },
    },
  }
}

const tagOf = ({ name }: ApiRoute): string => name.slice(0, name.indexOf('.'))

function isPublic({ permission }: ApiRoute): boolean {
  if (permission === 'signed-in' || permission === 'runner') return false
  return permission === 'open' || ruleOf(permission).public === true
}

function whoMay({ permission }: ApiRoute): string {
  if (permission === 'open') return 'For everybody; shows what the caller may see.'
  if (permission === 'signed-in') return 'For everybody who is signed in.'
  if (permission === 'runner') return 'For runners, with their own credential.'
  const { role, account, public: open } = ruleOf(permission)
  if (account) return `Takes \`${permission}\`: everybody who is signed in, as the settings say.`
  if (!role) return `Takes \`${permission}\`: system administrators.`
  const others = open ? '; everybody in public projects' : ''
  return `Takes \`${permission}\`: ${role} of the project or more${others}.`
}
