import { OpenAPIHono, z } from '@hono/zod-openapi'
import packageJson from '../../../package.json'
import { ruleOf } from '../../accounts/permissions.ts'
import { CCR_ERRORS, CCR_TEXTS } from './errors.ts'
import type { CcrRoute } from './route.ts'
import { INSTANCE } from './schemas.ts'

const envelope = {
  code: z.string().openapi({ example: 'CCR.Success' }),
  message: z.string().openapi({ example: '调用成功' }),
  requestId: z.string().openapi({ description: 'Stands in the log' }),
}

const Failure = z.object({ ...envelope, code: z.enum(Object.keys(CCR_TEXTS)) }).openapi('CcrError')

const PARTS: Record<string, z.ZodType> = {
  project: z.string().openapi({ description: 'Name', example: 'library' }),
  repository: z.string().openapi({
    description: 'Name within the project; slashes as they are, as %2F or as %252F',
    example: 'test',
  }),
  digest: z.string().openapi({ example: `sha256:${'0'.repeat(64)}` }),
  chart: z
    .string()
    .openapi({ description: 'Name; deeper ones with their path', example: 'postgresql' }),
  file: z.string().openapi({ example: 'postgresql-12.2.7.tgz' }),
}

/** The OpenAPI 3.1 document of the calls. */
export function createDocument(routes: readonly CcrRoute[]) {
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
  for (const route of routes) registry.registerPath(operationOf(route))
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Entrepot, CCR OpenAPI of CeaKE 5.2.0',
      version: packageJson.version,
      description: 'Pages count from 1. Messages are Chinese, or English with Accept-Language: en.',
      license: { name: packageJson.license },
    },
    servers: [{ url: `/api/ccr/v1.0/instances/${INSTANCE}` }],
    tags: [...new Set(routes.map(tagOf))].map((name) => ({ name })),
  })
}

type Operation = Parameters<OpenAPIHono['openAPIRegistry']['registerPath']>[0]

function operationOf(route: CcrRoute): Operation {
  const { method, path, name, summary, query, body, output, sample } = route
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, part = '']) => [part, PARTS[part]])
  const failures = Object.values(CCR_ERRORS).map(([status]) => status)
  return {
    method: method.toLowerCase() as Lowercase<CcrRoute['method']>,
    path,
    operationId: name,
    summary: `${summary.en} (${summary.zh})`,
    description: whoMay(route),
    tags: [tagOf(route)],
    security: [...(isPublic(route) ? [{}] : []), { basic: [] }, { token: [] }],
    request: {
      params: z.object(Object.fromEntries(inPath)),
      query,
      ...(route.takesBody
        ? {
            body: {
              required: true,
              content: {
                'application/json': { schema: body, ...(sample ? { example: sample } : {}) },
              },
            },
          }
        : {}),
    },
    responses: {
      200: {
        description: '调用成功',
        content:
          output === 'archive'
            ? { 'application/x-tar': { schema: { type: 'string', format: 'binary' } } }
            : { 'application/json': { schema: z.object({ ...envelope, ...output.shape }) } },
      },
      ...Object.fromEntries(
        [...new Set(failures)].sort().map((status) => [
          status,
          {
            description: `${codesOf(status).join(', ')}`,
            content: { 'application/json': { schema: Failure } },
          },
        ]),
      ),
    },
  }
}

function codesOf(status: number): string[] {
  const codes = Object.values(CCR_ERRORS).flatMap(([other, code]) =>
    other === status ? [code] : [],
  )
  return [...new Set(codes)].map((code) => `${code} ${CCR_TEXTS[code].zh}`)
}

const tagOf = ({ name }: CcrRoute): string => name.slice(0, name.indexOf('.'))

function isPublic({ permission }: CcrRoute): boolean {
  return permission !== 'signed-in' && ruleOf(permission).public === true
}

function whoMay({ permission, name }: CcrRoute): string {
  if (name === 'account.reset') {
    return 'For system administrators, and for the account itself signed in with its password.'
  }
  if (permission === 'signed-in') return 'For everybody who is signed in.'
  const { role, account, public: open } = ruleOf(permission)
  if (account) return `Takes \`${permission}\`: everybody who is signed in, as the settings say.`
  if (!role) return `Takes \`${permission}\`: system administrators.`
  const others = open ? '; everybody in public projects' : ''
  return `Takes \`${permission}\`: ${role} of the project or more${others}.`
}
