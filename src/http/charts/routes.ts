import type { Action } from '../../accounts/permissions.ts'
import { LIBRARY } from '../../oci/reference.ts'

/*
 * The routes of chart repositories as data. Three programs look for them in different places:
 * Helm computes all from the address of the repository; `helm cm-push` puts `api` behind the
 * `contextPath` of the index; programs for Harbor up to 2.7 know `/chartrepo` and `/api/chartrepo`.
 *
 * A repository is a project or a folder below it, of any depth, and may be called `charts` itself
 * (`helm push … oci://host/project/charts`), so patterns are anchored at the end.
 */

export interface ChartRoute {
  /** In the log, the metrics and the handler table. */
  name: string
  method: 'GET' | 'POST' | 'DELETE'
  /** For people and for the generated tests. */
  path: string
  pattern: RegExp
  /** null: open to everybody. */
  action: Action | null
  /** Answers as Harbor's own API did, where that is not ChartMuseum's. */
  isHarbor: boolean
}

export interface ChartTarget {
  /** `project` or `project/folder…`, not checked yet. */
  repository: string
  chart: string
  version: string
  file: string
}

/** What tells a version from a chart's name. */
const VERSION = '(?<version>v?\\d[^/]*|latest)'
const CHART = '(?<chart>[^/]+)'

/** Where files are, and where the ChartMuseum API is: path for people, pattern. */
const FILES = [
  ['/charts/{repository}', '/charts/(?!api/)(?<repository>.+)'],
  ['/chartrepo/{repository}', '/chartrepo/(?<repository>.+)'],
] as const
const APIS = [
  ['/charts/api/{repository}', '/charts/api/(?<repository>.+)'],
  ['/charts/{repository}/api', '/charts/(?<repository>.+)/api'],
  // Without a project Harbor meant its library.
  ['/api/chartrepo/{repository}', '/api/chartrepo(?:/(?<repository>.+))?'],
] as const

const pull = 'repository:pull'
const push = 'repository:push'
const erase = 'repository:delete'

type Tail = readonly [string, ChartRoute['method'], string, string, Action]

const FILE_TAILS: readonly Tail[] = [
  ['index', 'GET', '/index.yaml', '/index\\.yaml', pull],
  ['file', 'GET', '/charts/{file}', '/charts/(?<file>[^/]+\\.tgz(?:\\.prov)?)', pull],
]

/** In the order in which they are tried: `charts` at the end is a list, not a chart called so. */
const API_TAILS: readonly Tail[] = [
  ['list', 'GET', '/charts', '/charts', pull],
  ['upload', 'POST', '/charts', '/charts', push],
  ['sign', 'POST', '/prov', '/prov', push],
  ['version', 'GET', '/charts/{chart}/{version}', `/charts/${CHART}/${VERSION}`, pull],
  ['version.delete', 'DELETE', '/charts/{chart}/{version}', `/charts/${CHART}/${VERSION}`, erase],
  ...(['templates', 'values', 'readme'] as const).map(
    (what): Tail => [
      what,
      'GET',
      `/charts/{chart}/{version}/${what}`,
      `/charts/${CHART}/${VERSION}/${what}`,
      pull,
    ],
  ),
  ['chart', 'GET', '/charts/{chart}', `/charts/${CHART}`, pull],
  ['chart.delete', 'DELETE', '/charts/{chart}', `/charts/${CHART}`, erase],
]

export const CHART_ROUTES: readonly ChartRoute[] = [
  ...['/charts', '/api/chartrepo'].map((base) => open('health', `${base}/health`)),
  open('info', '/charts/info'),
  ...routes(FILE_TAILS, FILES),
  ...routes(API_TAILS, APIS),
]

function open(name: string, path: string): ChartRoute {
  const pattern = new RegExp(`^${path}$`)
  return { name, method: 'GET', path, pattern, action: null, isHarbor: false }
}

function routes(
  tails: readonly Tail[],
  bases: readonly (readonly [string, string])[],
): ChartRoute[] {
  return tails.flatMap(([name, method, path, pattern, action]) =>
    bases.map(([base, basePattern]) => ({
      name,
      method,
      path: base + path,
      pattern: new RegExp(`^${basePattern}${pattern}$`),
      action,
      isHarbor: base.includes('chartrepo'),
    })),
  )
}

const ROOTS = ['/charts/', '/chartrepo/', '/api/chartrepo/']

/** Whether a path belongs to this face. */
export function isChartPath(path: string): boolean {
  return ROOTS.some((root) => path.startsWith(root))
}

export interface ChartMatch {
  route: ChartRoute
  target: ChartTarget
}

/** The route of a request, or the methods that the path has; none: no such path. */
export function matchRoute(method: string, path: string): ChartMatch | { allowed: string[] } {
  const asked = method === 'HEAD' ? 'GET' : method
  for (const route of CHART_ROUTES) {
    const match = route.method === asked ? route.pattern.exec(path) : null
    if (!match) continue
    const { repository = LIBRARY, chart = '', version = '', file = '' } = match.groups ?? {}
    return {
      route,
      target: {
        repository: decode(repository),
        chart: decode(chart),
        version: decode(version),
        file: decode(file),
      },
    }
  }
  const others = CHART_ROUTES.filter((route) => route.pattern.test(path))
  const methods = others.flatMap((route) =>
    route.method === 'GET' ? ['GET', 'HEAD'] : route.method,
  )
  return { allowed: [...new Set(methods)] }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
