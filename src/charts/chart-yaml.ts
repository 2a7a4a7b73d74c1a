import { type Document, isAlias, isMap, isScalar, isSeq, parseDocument, type Scalar } from 'yaml'
import { isJsonObject, type Json, type JsonObject } from '../oci/json.ts'
import { refused, shown } from './tar.ts'

/*
 * Chart.yaml, read for the fields that Helm knows (helm.sh/docs, "The Chart.yaml File"). Only those
 * may stand in an index, where Helm takes an unknown field or a number in place of a text for an
 * error of the whole index.
 */

const NODE_LIMIT = 20_000
const DEPTH_LIMIT = 32
/** Longer names of fields are no YAML any more, where they stand in an index. */
const KEY_LIMIT = 256

type Shape = 'text' | 'texts' | 'flag' | 'map' | 'any' | { [field: string]: Shape }

const MAINTAINER: Shape = { name: 'text', email: 'text', url: 'text' }
const DEPENDENCY: Shape = {
  name: 'text',
  version: 'text',
  repository: 'text',
  condition: 'text',
  tags: 'texts',
  enabled: 'flag',
  'import-values': 'any',
  alias: 'text',
}
const CHART: Record<string, Shape> = {
  apiVersion: 'text',
  name: 'text',
  version: 'text',
  kubeVersion: 'text',
  description: 'text',
  type: 'text',
  keywords: 'texts',
  home: 'text',
  sources: 'texts',
  dependencies: DEPENDENCY,
  maintainers: MAINTAINER,
  icon: 'text',
  appVersion: 'text',
  deprecated: 'flag',
  annotations: 'map',
  condition: 'text',
  tags: 'text',
}

/** What Chart.yaml says, in its own spelling; fields that are empty or unknown are left out. */
export type ChartMetadata = JsonObject & { apiVersion: string; name: string; version: string }

/** @throws AppError invalid_input */
export function parseChartYaml(bytes: Uint8Array): ChartMetadata {
  const document = parseYaml(bytes, 'Chart.yaml')
  const read = reader(document, 'Chart.yaml')
  const content = read(document.contents)
  if (!isJsonObject(content)) throw refused('has a Chart.yaml that is no map')
  const metadata = pick(content, CHART, '')
  const { apiVersion = 'v1', name, version, type } = metadata
  if (typeof name !== 'string') throw refused('has a Chart.yaml without a name')
  if (typeof version !== 'string') throw refused('has a Chart.yaml without a version')
  if (type !== undefined && type !== 'application' && type !== 'library') {
    throw refused('has a Chart.yaml whose type is neither application nor library')
  }
  return { ...metadata, apiVersion: String(apiVersion), name, version }
}

/**
 * Any YAML file of a chart as JSON, within limits.
 * @throws AppError invalid_input
 */
export function parseValues(bytes: Uint8Array): Json {
  const document = parseYaml(bytes, 'values.yaml')
  return reader(document, 'values.yaml', true)(document.contents)
}

function parseYaml(bytes: Uint8Array, file: string): Document {
  let document: Document
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    // The version that Go programs read: `yes` is true.
    document = parseDocument(text, { version: '1.1', logLevel: 'silent' })
  } catch (cause) {
    throw refused(`has a ${file} that cannot be read`, cause)
  }
  const [error] = document.errors
  if (error)
    throw refused(`has a ${file} that is no YAML: ${shown(error.message.split('\n')[0] ?? '')}`)
  return document
}

/**
 * Nodes as JSON. A number stays as it was written, since in most places it is meant as text
 * (`appVersion: 1.10`), unless `typed`. Aliases are followed, and counted, so that a few lines
 * cannot become gigabytes.
 */
function reader(document: Document, file: string, typed = false) {
  let nodes = 0
  return function read(node: unknown, depth = 0): Json {
    if (++nodes > NODE_LIMIT || depth > DEPTH_LIMIT) {
      throw refused(`has a ${file} that is too large or too deep`)
    }
    if (isAlias(node)) return read(node.resolve(document), depth + 1)
    if (isSeq(node)) return node.items.map((item) => read(item, depth + 1))
    if (isMap(node)) {
      const own: [string, Json][] = []
      const merged: JsonObject = {}
      for (const { key, value } of node.items) {
        const content = read(value, depth + 1)
        if (isScalar(key) && key.source === '<<') merge(merged, content)
        else own.push([nameOf(key), content])
      }
      return { ...merged, ...Object.fromEntries(own) }
    }
    return isScalar(node) ? scalar(node, typed) : null
  }
}

/** As it was written: `n` and `010` are names, not a flag and a number. */
function nameOf(key: unknown): string {
  return isScalar(key) ? (key.source ?? String(key.value)) : ''
}

function scalar({ value, source }: Scalar, typed: boolean): Json {
  if (typeof value === 'string') return value.toWellFormed()
  if (typeof value === 'boolean') return value
  if (value == null) return null
  if (typed && typeof value === 'number' && Number.isFinite(value)) return value
  return source ?? String(value)
}

/** What a map takes over from others: the first one wins (yaml.org/type/merge.html). */
function merge(into: JsonObject, from: Json): void {
  for (const source of Array.isArray(from) ? from : [from]) {
    if (!isJsonObject(source)) continue
    for (const [key, value] of Object.entries(source)) if (!(key in into)) into[key] = value
  }
}

function pick(from: JsonObject, shape: Record<string, Shape>, where: string): JsonObject {
  const picked: JsonObject = {}
  for (const [field, kind] of Object.entries(shape)) {
    const value = from[field]
    const taken = value == null ? undefined : take(value, kind, `${where}${field}`)
    if (taken !== undefined) picked[field] = taken
  }
  return picked
}

/** undefined: empty, which Helm leaves out too. */
function take(value: Json, shape: Shape, where: string): Json | undefined {
  switch (shape) {
    case 'text': {
      const text = textOf(value, where)
      return text === '' ? undefined : text
    }
    case 'flag':
      if (typeof value !== 'boolean') throw wrong(where, 'true or false')
      return value || undefined
    case 'texts':
      return listOf(value, where).map((item) => textOf(item, where))
    case 'map':
      return mapOf(value, where)
    case 'any':
      return value
    default:
      return listOf(value, where).map((item) => {
        if (!isJsonObject(item)) throw wrong(where, 'a list of maps')
        return pick(item, shape, `${where}.`)
      })
  }
}

/** Helm replaces what cannot be printed, and so do we. */
function textOf(value: Json, where: string): string {
  if (typeof value === 'object') throw wrong(where, 'a text')
  return String(value)
    .replace(/\s/g, ' ')
    .replace(/\p{Cc}/gu, '')
}

function listOf(value: Json, where: string): Json[] {
  if (!Array.isArray(value)) throw wrong(where, 'a list')
  return value.filter((item) => item !== null)
}

/** Annotations keep their lines: tools read YAML out of them. */
function mapOf(value: Json, where: string): JsonObject {
  if (!isJsonObject(value)) throw wrong(where, 'a map')
  const entries = Object.entries(value).map(([key, item]) => {
    if (key.length > KEY_LIMIT)
      throw wrong(where, `a map with names of at most ${KEY_LIMIT} characters`)
    if (typeof item === 'object' && item !== null) throw wrong(where, 'a map of texts')
    return [key, item === null ? '' : String(item)]
  })
  return Object.fromEntries(entries)
}

function wrong(where: string, what: string) {
  return refused(`has a Chart.yaml whose "${where}" is not ${what}`)
}
