import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { API_ROUTES } from './routes.ts'
import { createTestApi, type TestApi } from './test-api.ts'

/* The document, checked against what OpenAPI 3.1 demands, and against the table of routes. */

const Parameter = z.strictObject({
  name: z.string(),
  in: z.enum(['path', 'query', 'header']),
  required: z.boolean(),
  description: z.string().optional(),
  example: z.unknown().optional(),
  schema: z.looseObject({}),
})

const Content = z.partialRecord(
  z.enum(['application/json', 'application/problem+json', 'text/event-stream']),
  z.strictObject({ schema: z.looseObject({}), example: z.unknown().optional() }),
)

const Operation = z.strictObject({
  operationId: z.string().regex(/^[a-z-]+\.[a-zA-Z]+$/),
  summary: z.string().min(5),
  description: z.string().min(5),
  tags: z.array(z.string()).length(1),
  security: z.array(z.record(z.string(), z.array(z.string()).max(0))).min(1),
  parameters: z.array(Parameter).optional(),
  requestBody: z.strictObject({ required: z.boolean(), content: Content }).optional(),
  responses: z.record(
    z.string().regex(/^([2-5]\d\d|default)$/),
    z.strictObject({ description: z.string(), content: Content.optional() }),
  ),
})

const Document = z.strictObject({
  openapi: z.literal('3.1.0'),
  info: z.strictObject({
    title: z.string(),
    version: z.string(),
    description: z.string(),
    license: z.strictObject({ name: z.string() }),
  }),
  servers: z.tuple([z.strictObject({ url: z.literal('/api/v1') })]),
  tags: z.array(z.strictObject({ name: z.string() })),
  components: z.strictObject({
    schemas: z.record(z.string().regex(/^[a-zA-Z0-9._-]+$/), z.looseObject({})),
    parameters: z.strictObject({}),
    securitySchemes: z.record(z.string(), z.looseObject({ type: z.enum(['http', 'apiKey']) })),
  }),
  webhooks: z.strictObject({}),
  paths: z.record(
    z.string().startsWith('/'),
    z.partialRecord(z.enum(['get', 'post', 'put', 'patch', 'delete']), Operation),
  ),
})

const TYPES = ['string', 'integer', 'number', 'boolean', 'array', 'object', 'null']

let api: TestApi
let raw: unknown
let document: z.infer<typeof Document>

beforeAll(async () => {
  api = await createTestApi()
  raw = (await api.expect(200, 'GET', '/openapi.json')).body
  document = Document.parse(raw)
})
afterAll(() => api.remove())

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )

/** Every object of the document. */
function nodes(value: unknown): Record<string, unknown>[] {
  if (typeof value !== 'object' || value === null) return []
  const own = Array.isArray(value) ? [] : [value as Record<string, unknown>]
  return [...own, ...Object.values(value).flatMap(nodes)]
}

describe('the document', () => {
  test('has the routes of the table, and no others', () => {
    const documented = operations().map(
      ({ path, method, operation }) => `${method.toUpperCase()} ${path} ${operation.operationId}`,
    )
    const routes = API_ROUTES.map(({ method, path, name }) => `${method} ${path} ${name}`)
    expect(documented.sort()).toEqual(routes.sort())
    expect(new Set(API_ROUTES.map(({ name }) => name)).size).toBe(API_ROUTES.length)
  })

  test('declares exactly the parameters of each path, all required', () => {
    for (const { path, operation } of operations()) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
      const declared = (operation.parameters ?? []).filter((one) => one.in === 'path')
      expect(declared.map(({ name }) => name).sort()).toEqual(named.sort())
      expect(declared.every(({ required }) => required)).toBe(true)
    }
  })

  test('refers to nothing that is missing, and uses only types that there are', () => {
    const schemas = Object.keys(document.components.schemas)
    const all = nodes(raw)
    const references = all.flatMap(({ $ref }) => (typeof $ref === 'string' ? [$ref] : []))
    expect(references.length).toBeGreaterThan(10)
    for (const reference of references) {
      expect(schemas).toContain(reference.replace('#/components/schemas/', ''))
    }
    const unused = schemas.filter((name) => !references.includes(`#/components/schemas/${name}`))
    expect(unused).toEqual([])
    const inSchemas = nodes([document.components.schemas, operations()])
    for (const { type, nullable } of inSchemas) {
      // Of OpenAPI 3.0; in 3.1 it is a type.
      expect(nullable).toBeUndefined()
      if (typeof type !== 'string' && !Array.isArray(type)) continue
      for (const one of [type].flat()) expect(TYPES).toContain(one)
    }
  })

  test('says for each operation how it may end, and who may call it', () => {
    const schemes = Object.keys(document.components.securitySchemes)
    for (const { operation } of operations()) {
      expect(operation.responses.default?.content).toHaveProperty(['application/problem+json'])
      expect(Object.keys(operation.responses)).toHaveLength(2)
      for (const scheme of operation.security.flatMap((one) => Object.keys(one))) {
        expect(schemes).toContain(scheme)
      }
    }
  })

  test('shows bodies that the routes take', () => {
    for (const { name, method, takesBody, sample, body, output, status } of API_ROUTES) {
      const shown = operations().find(({ operation }) => operation.operationId === name)?.operation
      expect([name, shown?.requestBody !== undefined]).toEqual([name, takesBody])
      if (sample) expect([name, body.safeParse(sample).error]).toEqual([name, undefined])
      if (method === 'POST' || !takesBody) continue
      expect([name, sample !== undefined]).toEqual([name, true])
      expect(output).toBeDefined()
      expect([200, 204]).toContain(status)
    }
  })
})
