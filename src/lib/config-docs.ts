import { isScalar, parseDocument, stringify } from 'yaml'
import { z } from 'zod'
import type { LoadedConfig } from './config.ts'
import { nestSettings, SETTINGS, type Setting } from './config-schema.ts'
import { redactText } from './redact.ts'

/** The settings in effect as YAML, with where each came from; secrets stay hidden. */
export function printConfig({ given, origins }: LoadedConfig): string {
  const tree = nestSettings((setting) =>
    given.has(setting.key) ? shown(setting, given.get(setting.key)) : defaultOf(setting),
  )
  const document = parseDocument(stringify(tree))
  for (const { key, path } of SETTINGS) {
    const origin = origins.get(key)
    const node: unknown = document.getIn(path, true)
    if (origin !== undefined && isScalar(node)) node.comment = ` from ${origin}`
  }
  return document.toString({ lineWidth: 0 })
}

function shown({ meta }: Setting, value: unknown): unknown {
  if (meta.secret === 'url') return redactText(String(value))
  return meta.secret ? '(secret)' : value
}

/** As one would write it; undefined where there is none. */
function defaultOf({ schema }: Setting): unknown {
  return schema instanceof z.ZodPrefault ? schema.def.defaultValue : undefined
}

const INTRODUCTION = `# Configuration

<!-- Made from the schema by \`entrepot config docs\`; a test compares. -->

Every setting can stand in a YAML file, in a variable or, the common ones, in a flag. Flags win over
variables, variables over the file, the file over the defaults. The file is the one of \`--config\`,
else of \`ENTREPOT_CONFIG\`, else \`entrepot.yaml\` in the working folder if there is one. A secret
can also be read from a file: its variable with \`_FILE\` appended names it.

Durations are written \`90s\`, \`5m\`, \`1h30m\` or \`7d\`; a plain number is seconds. Relative paths
start from the working folder. In a variable, the entries of a list are separated by commas.

\`entrepot config check\` reports all problems at once; \`entrepot config print\` shows what is in
effect and where it came from, without the secrets. A changed setting takes effect at the next start.
`

const EXAMPLE = `## Example

\`\`\`yaml
listen:
  address: 0.0.0.0:5000
  tls:
    cert: /etc/entrepot/tls.crt
    key: /etc/entrepot/tls.key
data: /var/lib/entrepot
publicUrl: https://registry.example.com
trustedProxies: [10.0.0.0/8]
\`\`\`
`

/** The reference of all settings, Markdown. */
export function describeSettings(): string {
  const sections = SETTINGS.map((setting) => {
    const { key, variable, meta } = setting
    const ways = [`\`${variable}\``]
    if (meta.secret) ways.push(`\`${variable}_FILE\``)
    if (meta.flag) ways.push(`\`${meta.flag}\``)
    return [
      `### ${key}\n`,
      `${meta.description}\n`,
      `- Form: ${formOf(setting)}`,
      `- Default: ${meta.shownDefault ?? shownDefault(setting)}`,
      `- Also as: ${ways.join(', ')}\n`,
    ].join('\n')
  })
  return [INTRODUCTION, EXAMPLE, '## Settings\n', ...sections].join('\n')
}

/** What the message about a wrong value says it must be. */
function formOf({ schema }: Setting): string {
  return schema.safeParse(null).error?.issues[0]?.message ?? ''
}

function shownDefault(setting: Setting): string {
  const value = defaultOf(setting)
  if (value === undefined) return 'none'
  return Array.isArray(value) && value.length === 0 ? 'an empty list' : `\`${value}\``
}
