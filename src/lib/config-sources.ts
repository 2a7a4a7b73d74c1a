import { existsSync, readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { codeOf } from './code-of.ts'
import { SETTINGS } from './config-schema.ts'
import { editDistance, nearest } from './nearest.ts'

/** A value as somebody wrote it, and where. */
export interface Given {
  value: unknown
  /** Completes "from …". */
  origin: string
}

interface Found {
  /** By key. */
  values: Map<string, Given>
  problems: { field: string; message: string }[]
}

const DEFAULT_FILE = 'entrepot.yaml'
const PREFIX = 'ENTREPOT_'
/** `ENTREPOT_CONFIG`, and what the verbs that ask a server go by. */
const OWN_VARIABLES = ['ENTREPOT_CONFIG', 'ENTREPOT_URL', 'ENTREPOT_TOKEN', 'ENTREPOT_TOKEN_FILE']

/** What the file says; without a name, the usual file if there is one. */
export function fromFile(name: string | undefined, folder: string): Found {
  const found: Found = { values: new Map(), problems: [] }
  const file = resolve(folder, name ?? DEFAULT_FILE)
  if (name === undefined && !existsSync(file)) return found

  let content: string
  try {
    content = readFileSync(file, 'utf8')
  } catch (error) {
    found.problems.push({ field: '--config', message: `cannot read ${file}: ${reason(error)}` })
    return found
  }
  const document = parseDocument(content)
  for (const error of document.errors) {
    found.problems.push({
      field: basename(file),
      message: `is no YAML: ${firstLine(error.message)}`,
    })
  }
  if (document.errors.length === 0) walk(document.toJS(), [], basename(file), found)
  return found
}

function walk(value: unknown, path: string[], origin: string, found: Found): void {
  const key = path.join('.')
  // A key without a value is as good as a key that is left out.
  if (value === null || value === undefined) return
  const target = key === 'listen' && typeof value === 'string' ? 'listen.address' : key
  if (SETTINGS.some((setting) => setting.key === target)) {
    found.values.set(target, { value, origin })
    return
  }
  const inside = SETTINGS.filter((setting) => key === '' || setting.key.startsWith(`${key}.`))
  if (inside.length === 0) {
    found.problems.push({ field: key, message: `is no setting (from ${origin})${hint(key)}` })
  } else if (typeof value !== 'object' || Array.isArray(value)) {
    const names = [...new Set(inside.map((setting) => setting.path[path.length]))].join(', ')
    const message = `${JSON.stringify(value)} must be a group of settings: ${names}`
    found.problems.push({ field: key || origin, message })
  } else {
    for (const [name, entry] of Object.entries(value)) walk(entry, [...path, name], origin, found)
  }
}

function hint(key: string): string {
  const sections = SETTINGS.flatMap(({ path }) =>
    path.map((_, i) => path.slice(0, i + 1).join('.')),
  )
  // A right name in the wrong group is found by its last part.
  const last = key.slice(key.lastIndexOf('.') + 1)
  const moved = SETTINGS.find(({ path }) => path.at(-1) === last)?.key
  const meant = nearest(key, sections) ?? moved
  return meant === undefined ? '' : `; did you mean ${meant}?`
}

/**
 * Editors and `echo` end a file with a line break that belongs to no secret; from there it comes into
 * secrets of Kubernetes and so into variables.
 */
const withoutLastBreak = (secret: string) => secret.replace(/\r?\n$/, '')

/** An empty one is a slip such as `$UNSET`, and the default would be another installation. */
const NEVER_EMPTY = ['data']

/** What the `ENTREPOT_…` variables say. An empty one counts as unset. */
export function fromEnvironment(
  environment: Record<string, string | undefined>,
): Found & { warnings: string[] } {
  const found: Found = { values: new Map(), problems: [] }
  const known = new Set(OWN_VARIABLES)

  for (const { key, variable, meta } of SETTINGS) {
    known.add(variable)
    const given = environment[variable]
    const value = meta.secret ? given && withoutLastBreak(given) : given
    if (value) found.values.set(key, { value, origin: variable })
    if (value === '' && NEVER_EMPTY.includes(key)) {
      const message = `${variable} is empty: name a folder, or unset it for the default`
      found.problems.push({ field: key, message })
    }
    if (!meta.secret) continue

    const fileVariable = `${variable}_FILE`
    known.add(fileVariable)
    const file = environment[fileVariable]
    if (!file) continue
    if (value) {
      const message = `is given twice, by ${variable} and by ${fileVariable}: unset one`
      found.problems.push({ field: key, message })
      continue
    }
    try {
      const content = withoutLastBreak(readFileSync(file, 'utf8'))
      found.values.set(key, { value: content, origin: fileVariable })
    } catch (error) {
      found.problems.push({
        field: key,
        message: `cannot read ${file} (from ${fileVariable}): ${reason(error)}`,
      })
    }
  }
  return { ...found, ...unknownVariables(environment, known, found) }
}

/**
 * Kubernetes gives each pod variables about the services of its namespace, named after them: for
 * a service `entrepot` they begin as ours do.
 */
const OF_KUBERNETES =
  /_SERVICE_(HOST|PORT)(_\w+)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$/

/** A slip of the pen stops the start; what is nothing like ours may be somebody else's. */
function unknownVariables(
  environment: Record<string, string | undefined>,
  known: Set<string>,
  { problems }: Found,
) {
  const warnings: string[] = []
  for (const name of Object.keys(environment)) {
    if (!name.startsWith(PREFIX) || known.has(name) || OF_KUBERNETES.test(name)) continue
    const meant = nearest(bare(name), [...known].map(bare))
    const suggestion = meant === undefined ? '' : `; did you mean ${PREFIX}${meant}?`
    if (meant !== undefined && editDistance(bare(name), meant) <= 2) {
      problems.push({ field: name, message: `is no setting${suggestion}` })
    } else {
      warnings.push(`${name} is no setting and was ignored${suggestion}`)
    }
  }
  return { problems, warnings }
}

function bare(name: string): string {
  return name.slice(PREFIX.length)
}

function reason(error: unknown): string {
  const code = codeOf(error)
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES') return 'permission denied'
  if (code === 'EISDIR') return 'it is a folder'
  return error instanceof Error ? error.message : String(error)
}

/** Without the excerpt of the file that follows, which may be anything. */
function firstLine(text: string): string {
  const [line = ''] = text.trim().split('\n')
  return line
    .replaceAll(/\p{Cc}/gu, '')
    .slice(0, 200)
    .replace(/:$/, '')
}
