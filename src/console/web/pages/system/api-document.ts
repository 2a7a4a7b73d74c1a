/* An OpenAPI document as far as the reference shows it. */

type Schema = Record<string, unknown>

interface RawOperation {
  operationId: string
  summary: string
  description?: string
  tags?: string[]
  parameters?: {
    name: string
    in: string
    required?: boolean
    description?: string
    schema?: Schema
  }[]
  requestBody?: { content: Record<string, { schema: Schema; example?: unknown }> }
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>
}

export interface ApiDocument {
  servers: { url: string }[]
  paths: Record<string, Record<string, RawOperation>>
  components: { schemas: Record<string, Schema> }
}

export interface Operation {
  id: string
  method: string
  path: string
  summary: string
  description: string
  parameters: { name: string; place: string; required: boolean; description: string }[]
  /** As examples, in JSON. */
  body: string | undefined
  answer: string | undefined
}

/** Operations by what they are about, in the order of the document. */
export function operationsOf(document: ApiDocument): { tag: string; operations: Operation[] }[] {
  const groups = new Map<string, Operation[]>()
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? ''
      const group = groups.get(tag) ?? []
      group.push(show(document, method, path, operation))
      groups.set(tag, group)
    }
  }
  return [...groups].map(([tag, operations]) => ({ tag, operations }))
}

function show(
  document: ApiDocument,
  method: string,
  path: string,
  operation: RawOperation,
): Operation {
  const body = Object.values(operation.requestBody?.content ?? {})[0]
  const [, answer] = Object.entries(operation.responses).find(([code]) => code < '3') ?? []
  const schema = Object.values(answer?.content ?? {})[0]?.schema
  return {
    id: operation.operationId,
    method: method.toUpperCase(),
    path: `${document.servers[0]?.url ?? ''}${path}`,
    summary: operation.summary,
    description: operation.description ?? '',
    parameters: (operation.parameters ?? []).map((parameter) => ({
      name: parameter.name,
      place: parameter.in,
      required: parameter.required === true,
      description: parameter.description ?? textOf(parameter.schema?.description),
    })),
    body: body && json(body.example ?? exampleOf(document, body.schema, 0)),
    answer: schema && json(exampleOf(document, schema, 0)),
  }
}

const json = (value: unknown): string => JSON.stringify(value, null, 2)
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

const DEEPEST = 8

/** A value that a schema allows, with its examples where it has some. */
function exampleOf(document: ApiDocument, schema: Schema, depth: number): unknown {
  if (depth > DEEPEST) return '…'
  if (typeof schema.$ref === 'string') {
    const name = schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1)
    return exampleOf(document, document.components.schemas[name] ?? {}, depth + 1)
  }
  if (schema.example !== undefined) return schema.example
  if (Array.isArray(schema.enum)) return schema.enum[0]
  const inner = schema.allOf ?? schema.anyOf ?? schema.oneOf
  if (Array.isArray(inner)) {
    const parts = inner.map((part: Schema) => exampleOf(document, part, depth + 1))
    if (!schema.allOf) return parts[0]
    const own = objectOf(document, schema, depth)
    return Object.assign({}, ...parts.filter((part) => typeof part === 'object'), own)
  }
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type
  switch (type) {
    case 'object':
      return objectOf(document, schema, depth)
    case 'array':
      return [exampleOf(document, (schema.items as Schema | undefined) ?? {}, depth + 1)]
    case 'integer':
    case 'number':
      return 0
    case 'boolean':
      return false
    case 'string':
      return textOf(schema.description) || '…'
    default:
      return null
  }
}

function objectOf(document: ApiDocument, schema: Schema, depth: number): Record<string, unknown> {
  const properties = (schema.properties ?? {}) as Record<string, Schema>
  return Object.fromEntries(
    Object.entries(properties).map(([name, inner]) => [
      name,
      exampleOf(document, inner, depth + 1),
    ]),
  )
}
