import { resolve } from 'node:path'
import { type Config, configSchema, nestSettings, SETTINGS, type Setting } from './config-schema.ts'
import { fromEnvironment, fromFile, type Given } from './config-sources.ts'
import { flag } from './config-values.ts'
import { AppError } from './errors.ts'

export type { Config } from './config-schema.ts'

export interface ConfigInput {
  /** Values of flags by key: `{ 'listen.address': '0.0.0.0:5000' }`. */
  flags?: Record<string, unknown>
  /** The file that was asked for; else `ENTREPOT_CONFIG`, else `entrepot.yaml` where it exists. */
  file?: string | undefined
  environment?: Record<string, string | undefined>
  /** What relative paths start from. */
  folder?: string
}

export interface LoadedConfig {
  config: Config
  /** Where each setting that is not a default came from, by key. */
  origins: Map<string, string>
  /** The values as they were given, by key. */
  given: Map<string, unknown>
  /** Sentences about what is probably a mistake, but stops nobody. */
  warnings: string[]
}

interface ConfigProblem {
  field: string
  message: string
}

/**
 * Gathers the settings: flags before variables before the file before the defaults.
 *
 * @throws AppError `invalid_input` with every problem there is, in `details.problems`.
 */
export function loadConfig(input: ConfigInput = {}): LoadedConfig {
  const { flags = {}, environment = process.env, folder = process.cwd() } = input
  const file = fromFile(input.file || environment.ENTREPOT_CONFIG, folder)
  const variables = fromEnvironment(environment)
  const problems = [...file.problems, ...variables.problems]

  const given = new Map<string, Given>([...file.values, ...variables.values])
  for (const [key, value] of Object.entries(flags)) {
    if (value !== undefined) given.set(key, { value, origin: 'the command line' })
  }

  for (const setting of SETTINGS) {
    const entry = given.get(setting.key)
    if (entry) problems.push(...checkValue(setting, entry))
  }
  // Sections must be there, else their own defaults would not apply.
  const parsed = configSchema.safeParse(nestSettings(({ key }) => given.get(key)?.value))
  problems.push(...checkTogether(given))
  if (!parsed.success || problems.length > 0) throw invalidConfig(problems)

  const config = parsed.data
  const { cert, key } = config.listen.tls
  config.data = resolve(folder, config.data)
  if (cert !== undefined) config.listen.tls.cert = resolve(folder, cert)
  if (key !== undefined) config.listen.tls.key = resolve(folder, key)
  const { caFile } = config.storage.s3
  if (caFile !== undefined) config.storage.s3.caFile = resolve(folder, caFile)
  return {
    config: freeze(config),
    origins: new Map([...given].map(([name, { origin }]) => [name, origin])),
    given: new Map([...given].map(([name, { value }]) => [name, value])),
    warnings: variables.warnings,
  }
}

function checkValue({ key, schema, meta }: Setting, { value, origin }: Given): ConfigProblem[] {
  const result = schema.safeParse(value)
  if (result.success) return []
  const shown = meta.secret ? 'the value' : JSON.stringify(value)
  const right = result.error.issues[0]?.message ?? 'something else'
  return [{ field: key, message: `${shown} (from ${origin}) must be ${right}` }]
}

/** What settings must agree on; by what was given, so that it is told with all the rest. */
function checkTogether(given: Map<string, Given>): ConfigProblem[] {
  const hasCert = given.has('listen.tls.cert')
  const hasKey = given.has('listen.tls.key')
  const selfSigned = given.get('listen.tls.selfSigned')
  const problems: ConfigProblem[] = []
  if (hasCert !== hasKey) {
    const [has, lacks] = hasCert ? ['cert', 'key'] : ['key', 'cert']
    problems.push({
      field: `listen.tls.${lacks}`,
      message: `must be set too, because listen.tls.${has} is: HTTPS needs both files`,
    })
  }
  if ((hasCert || hasKey) && selfSigned && flag().safeParse(selfSigned.value).data) {
    problems.push({
      field: 'listen.tls.selfSigned',
      message: `true (from ${selfSigned.origin}) must be false where a certificate is named`,
    })
  }
  if (given.get('storage.driver')?.value === 's3' && !given.has('storage.s3.bucket')) {
    problems.push({
      field: 'storage.s3.bucket',
      message: 'must be set too, because storage.driver is s3',
    })
  }
  const hasId = given.has('storage.s3.accessKeyId')
  if (hasId !== given.has('storage.s3.secretAccessKey')) {
    const [has, lacks] = hasId
      ? ['accessKeyId', 'secretAccessKey']
      : ['secretAccessKey', 'accessKeyId']
    problems.push({
      field: `storage.s3.${lacks}`,
      message: `must be set too, because storage.s3.${has} is`,
    })
  }
  return problems
}

function invalidConfig(problems: ConfigProblem[]): AppError {
  const lines = problems.map(({ field, message }) => `  ${field}: ${message}`)
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`
  return new AppError('invalid_input', `${count} in the settings:\n${lines.join('\n')}`, {
    problems,
  })
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) freeze(inner)
    Object.freeze(value)
  }
  return value
}
