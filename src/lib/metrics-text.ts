import type { FamilyValues, Labels, Series } from './metric-family.ts'
import type { MetricsSnapshot } from './metrics.ts'

/** The sum over processes, as Prometheus reads it (text format 0.0.4). */
export function renderMetrics(snapshots: readonly MetricsSnapshot[]): string {
  const families = Map.groupBy(snapshots.flat(), ({ name }) => name)
  return [...families.values()].map((same) => renderFamily(same)).join('\n')
}

function renderFamily(same: readonly FamilyValues[]): string {
  const [first] = same
  if (!first) return ''
  const { name, help, type } = first
  const series = Map.groupBy(
    same.flatMap((family) => family.series),
    ({ labels }) => renderLabels(labels),
  )
  const lines = [...series].flatMap(([labels, parts]) => renderSeries(first, labels, parts))
  return `${[`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`, ...lines].join('\n')}\n`
}

function renderSeries(
  { name, over, buckets }: FamilyValues,
  labels: string,
  parts: readonly Series[],
): string[] {
  const values = parts.map(({ value }) => value)
  const value = over === 'max' ? Math.max(...values) : values.reduce((sum, one) => sum + one, 0)
  if (!buckets) return [`${name}${braces(labels)} ${value}`]
  const lines: string[] = []
  let count = 0
  for (const [i, bound] of [...buckets, '+Inf'].entries()) {
    for (const { counts } of parts) count += counts?.[i] ?? 0
    lines.push(`${name}_bucket${braces(`le="${bound}"${labels && `,${labels}`}`)} ${count}`)
  }
  lines.push(`${name}_sum${braces(labels)} ${value}`, `${name}_count${braces(labels)} ${count}`)
  return lines
}

const braces = (labels: string) => (labels === '' ? '' : `{${labels}}`)

function renderLabels(labels: Labels): string {
  return Object.entries(labels)
    .map(([label, value]) => `${label}="${escapeLabel(String(value))}"`)
    .join(',')
}

const escapeHelp = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
const escapeLabel = (text: string) => escapeHelp(text).replaceAll('"', '\\"')
