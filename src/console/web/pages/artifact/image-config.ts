/* What manifests and configs say, as they were pushed: every field may be missing or anything. */

export interface Layer {
  digest: string
  mediaType: string
  size: number
  /** The command that made it; undefined: not said. */
  command: string | undefined
  title: string | undefined
}

export interface ImageConfig {
  /** Name and value, those that there are. */
  facts: [name: keyof typeof FACTS, value: string][]
  environment: string[]
  labels: [string, string][]
}

const FACTS = {
  os: ['os'],
  architecture: ['architecture'],
  created: ['created'],
  author: ['author'],
  user: ['config', 'User'],
  workingDir: ['config', 'WorkingDir'],
  entrypoint: ['config', 'Entrypoint'],
  command: ['config', 'Cmd'],
  ports: ['config', 'ExposedPorts'],
  volumes: ['config', 'Volumes'],
  stopSignal: ['config', 'StopSignal'],
} as const

function parseObject(text: string | null | undefined): Record<string, unknown> {
  try {
    return objectOf(JSON.parse(text ?? '{}'))
  } catch {
    return {}
  }
}

/** Layers with the steps of the history that made them; empty steps made none (config.md). */
export function layersOf(manifest: string, config: string | null): Layer[] {
  const { layers } = parseObject(manifest)
  const { history } = parseObject(config)
  const steps = listOf(history)
    .map(objectOf)
    .filter((step) => step.empty_layer !== true)
  const described = listOf(layers).map(objectOf)
  const matches = steps.length === described.length
  return described.map((layer, i) => ({
    digest: textOf(layer.digest),
    mediaType: textOf(layer.mediaType),
    size: typeof layer.size === 'number' ? layer.size : 0,
    command: matches ? commandOf(steps[i]?.created_by) : undefined,
    title: textOf(objectOf(layer.annotations)['org.opencontainers.image.title']) || undefined,
  }))
}

export function imageConfigOf(text: string | null): ImageConfig {
  const config = parseObject(text)
  const facts = Object.entries(FACTS).flatMap(([name, path]) => {
    const value = path.reduce<unknown>((inner, key) => objectOf(inner)[key], config)
    const shown = showFact(value)
    return shown === '' ? [] : [[name, shown] as [keyof typeof FACTS, string]]
  })
  const inner = objectOf(config.config)
  return {
    facts,
    environment: listOf(inner.Env).map(textOf).filter(Boolean),
    labels: Object.entries(objectOf(inner.Labels)).map(([name, value]) => [name, textOf(value)]),
  }
}

/** Builders write shell steps with what runs them, which says nothing. */
function commandOf(value: unknown): string | undefined {
  const text = textOf(value)
    .replace(/^\/bin\/sh -c #\(nop\)\s*/, '')
    .replace(/^\/bin\/sh -c /, 'RUN ')
    .replace(/ # buildkit$/, '')
    .trim()
  return text === '' ? undefined : text
}

function showFact(value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).join(' ')
  if (typeof value === 'object' && value !== null) return Object.keys(value).join(', ')
  return textOf(value)
}

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

function objectOf(value: unknown): Record<string, unknown> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as Record<string, unknown>) : {}
}
