import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { z } from '@hono/zod-openapi'
import { pushImage } from '../test-content.ts'
import { CCR_ROUTES } from './routes.ts'
import { startTestCcr, type TestCcr } from './test-ccr.ts'
import { chartArchive } from './test-chart.ts'

setDefaultTimeout(60_000)

interface Document {
  openapi: string
  servers: { url: string }[]
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, unknown> }
}

interface Operation {
  operationId: string
  parameters?: { name: string; in: string; required?: boolean }[]
  requestBody?: { content: Record<string, { schema: { required?: string[] }; example?: unknown }> }
  responses: Record<string, unknown>
}

let ccr: TestCcr
let document: Document
beforeAll(async () => {
  ccr = await startTestCcr()
  const answer = await ccr.connect().request('GET', '/api/ccr/openapi.json')
  expect([answer.status, answer.header('content-type')]).toEqual([200, 'application/json'])
  document = answer.json<Document & Record<string, unknown>>()
})
afterAll(() => ccr.stop())

test('the document has every call, with the parts of its path', () => {
  expect(document.openapi).toBe('3.1.0')
  expect(document.servers).toEqual([{ url: '/api/ccr/v1.0/instances/ccr-manager' }])
  expect(CCR_ROUTES).toHaveLength(14)
  for (const { name, method, path, query, takesBody } of CCR_ROUTES) {
    const operation = document.paths[path]?.[method.toLowerCase()]
    expect(operation?.operationId).toBe(name)
    const parameters = operation?.parameters ?? []
    const named = (place: string) => parameters.filter((one) => one.in === place).map((p) => p.name)
    expect(named('path')).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, part = '']) => part))
    expect(named('query').sort()).toEqual(Object.keys(query.shape).sort())
    expect(parameters.filter((one) => one.in === 'query' && one.required)).toEqual([])
    expect(operation?.requestBody !== undefined).toBe(takesBody)
  }
})

test('what is printed as an example of a body is what the call takes', () => {
  for (const { body, takesBody, sample } of CCR_ROUTES) {
    if (takesBody) expect(body.safeParse(sample).success).toBe(true)
  }
})

test('every reference in it leads somewhere', () => {
  const text = JSON.stringify(document)
  for (const [, name = ''] of text.matchAll(/#\/components\/schemas\/(\w+)/g)) {
    expect(document.components.schemas).toHaveProperty(name)
  }
  expect(text).toContain('CcrArtifact')
})

test('answers have the fields that it declares, and no others', async () => {
  await ccr.ok('POST', '/projects', { name: 'declared' })
  await pushImage(ccr.connect(), ccr.admin, 'declared/app', 'v1')
  const headers = { 'content-type': 'application/octet-stream' }
  const body = chartArchive('nginx', '1.0.0')
  const path = '/charts/api/declared/charts'
  await ccr.connect().request('POST', path, { as: ccr.admin, headers, body })
  const paths: Record<string, string> = {
    'project.list': '/projects',
    'repository.list-all': '/repositories',
    'repository.list': '/projects/declared/repositories',
    'repository.get': '/projects/declared/repositories/app',
    'artifact.list': '/projects/declared/repositories/app/artifacts',
    'chart.list': '/projects/charts',
  }
  const lists = CCR_ROUTES.filter(({ method, output }) => method === 'GET' && output !== 'archive')
  expect(lists.map(({ name }) => name).sort()).toEqual(Object.keys(paths).sort())
  for (const { name, output } of lists) {
    if (output === 'archive') continue
    const { code, message, requestId, ...fields } = await ccr.ok('GET', paths[name] ?? '')
    expect([typeof code, typeof message, typeof requestId]).toEqual(['string', 'string', 'string'])
    const strict = z.strictObject(output.shape)
    expect([name, strict.safeParse(fields).error?.issues]).toEqual([name, undefined])
    // Nothing is dropped in parsing, so nothing was undeclared further inside either.
    expect<unknown>(strict.parse(fields)).toEqual(fields)
  }
})
