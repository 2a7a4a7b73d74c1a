import type { QueryClient } from '@tanstack/react-query'
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router'
import type { Session } from './api/types.ts'
import { refusal } from './parts/refusal.ts'
import { sessionQuery } from './session.ts'
import { FailedPage, MissingPage, PendingPage } from './shell/page-states.tsx'
import { Shell } from './shell/shell.tsx'

/*
 * Every address of the console. Pages are loaded when they are first shown; what a list is filtered
 * by, and where in it one is, stands in the address.
 */

const home = () => import('./pages/area-home.ts')
const projectsArea = () => import('./pages/area-projects.ts')
const repositoriesArea = () => import('./pages/area-repositories.ts')
const registriesArea = () => import('./pages/area-registries.ts')
const registryEditor = () => import('./pages/area-registry-editor.ts')
const transfersArea = () => import('./pages/area-transfers.ts')
const system = () => import('./pages/area-system.ts')

type Texts = Record<string, unknown>

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== ''
    ? value
    : typeof value === 'number'
      ? String(value)
      : undefined

/** Keeps those of the search parameters that a page knows, as text. */
function search<const K extends string>(...names: K[]) {
  return (given: Texts): { [N in K]?: string } => {
    const known = names.flatMap((name) => {
      const value = text(given[name])
      return value === undefined ? [] : [[name, value]]
    })
    return Object.fromEntries(known)
  }
}

const root = createRootRouteWithContext<{ queries: QueryClient }>()({
  component: Outlet,
  notFoundComponent: MissingPage,
})

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: search('back', 'ended'),
  component: lazyRouteComponent(() => import('./pages/sign-in.tsx'), 'SignInPage'),
})

/** Public projects can be looked at by everybody; the rest asks for a sign-in by itself. */
const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  component: Shell,
  beforeLoad: async ({ context }) => ({
    session: await context.queries.ensureQueryData(sessionQuery),
  }),
})

const signedIn = createRoute({
  getParentRoute: () => shell,
  id: 'signed-in',
  beforeLoad: ({ context, location }) => {
    if (context.session.account) return
    throw redirect({ to: '/sign-in', search: { back: location.href } })
  },
})

/** For forms: of what is read the server itself says whom it is for. */
const forAdmins = ({ context }: { context: { session: Session } }) => {
  if (!context.session.account?.admin) throw refusal()
}

const overview = createRoute({
  getParentRoute: () => signedIn,
  path: '/',
  validateSearch: search('days'),
  component: lazyRouteComponent(home, 'OverviewPage'),
})
const found = createRoute({
  getParentRoute: () => shell,
  path: '/search',
  validateSearch: search('q', 'after'),
  component: lazyRouteComponent(projectsArea, 'SearchPage'),
})
const start = createRoute({
  getParentRoute: () => signedIn,
  path: '/start',
  component: lazyRouteComponent(home, 'StartPage'),
})
const projects = createRoute({
  getParentRoute: () => shell,
  path: '/projects',
  validateSearch: search('name', 'after'),
  component: lazyRouteComponent(projectsArea, 'ProjectsPage'),
})
const project = createRoute({
  getParentRoute: () => shell,
  path: '/projects/$project',
  component: lazyRouteComponent(projectsArea, 'ProjectPage'),
})
const repositories = createRoute({
  getParentRoute: () => project,
  path: '/',
  validateSearch: search('name', 'after'),
  component: lazyRouteComponent(projectsArea, 'RepositoriesPage'),
})
const members = createRoute({
  getParentRoute: () => project,
  path: '/members',
  validateSearch: search('after'),
  component: lazyRouteComponent(projectsArea, 'MembersPage'),
})
const projectRobots = createRoute({
  getParentRoute: () => project,
  path: '/robots',
  validateSearch: search('after'),
  component: lazyRouteComponent(projectsArea, 'ProjectRobotsPage'),
})
const projectUsage = createRoute({
  getParentRoute: () => project,
  path: '/usage',
  validateSearch: search('days'),
  component: lazyRouteComponent(projectsArea, 'ProjectUsagePage'),
})
const projectSettings = createRoute({
  getParentRoute: () => project,
  path: '/settings',
  component: lazyRouteComponent(projectsArea, 'ProjectSettingsPage'),
})
const repository = createRoute({
  getParentRoute: () => shell,
  path: '/projects/$project/repositories/$repository',
  component: lazyRouteComponent(repositoriesArea, 'RepositoryPage'),
})
const tags = createRoute({
  getParentRoute: () => repository,
  path: '/',
  validateSearch: search('name', 'after', 'sort'),
  component: lazyRouteComponent(repositoriesArea, 'TagsPage'),
})
const artifacts = createRoute({
  getParentRoute: () => repository,
  path: '/artifacts',
  validateSearch: search('after'),
  component: lazyRouteComponent(repositoriesArea, 'ArtifactsPage'),
})
const charts = createRoute({
  getParentRoute: () => repository,
  path: '/charts',
  validateSearch: search('version', 'after'),
  component: lazyRouteComponent(repositoriesArea, 'ChartsPage'),
})
const compare = createRoute({
  getParentRoute: () => repository,
  path: '/compare',
  validateSearch: search('left', 'right', 'platform'),
  component: lazyRouteComponent(repositoriesArea, 'ComparePage'),
})
const about = createRoute({
  getParentRoute: () => repository,
  path: '/about',
  component: lazyRouteComponent(repositoriesArea, 'AboutPage'),
})
const artifact = createRoute({
  getParentRoute: () => shell,
  path: '/projects/$project/repositories/$repository/artifacts/$digest',
  validateSearch: search('tab', 'tag'),
  component: lazyRouteComponent(repositoriesArea, 'ArtifactPage'),
})
const users = createRoute({
  getParentRoute: () => signedIn,
  path: '/users',
  validateSearch: search('name', 'after'),
  component: lazyRouteComponent(projectsArea, 'UsersPage'),
})
const robots = createRoute({
  getParentRoute: () => signedIn,
  path: '/robots',
  validateSearch: search('after'),
  component: lazyRouteComponent(projectsArea, 'RobotsPage'),
})
const account = createRoute({
  getParentRoute: () => signedIn,
  path: '/account',
  component: lazyRouteComponent(projectsArea, 'AccountPage'),
})
const audit = createRoute({
  getParentRoute: () => signedIn,
  path: '/audit',
  validateSearch: search('account', 'action', 'project', 'since', 'until', 'after'),
  component: lazyRouteComponent(() => import('./pages/system/audit.tsx'), 'AuditPage'),
})
const jobs = createRoute({
  getParentRoute: () => signedIn,
  path: '/jobs',
  validateSearch: search('state', 'name', 'after'),
  component: lazyRouteComponent(system, 'JobsPage'),
})
const apiReference = createRoute({
  getParentRoute: () => shell,
  path: '/api-reference',
  validateSearch: search('face'),
  component: lazyRouteComponent(system, 'ApiReferencePage'),
})

const registries = createRoute({
  getParentRoute: () => signedIn,
  path: '/registries',
  validateSearch: search('name', 'provider', 'after'),
  component: lazyRouteComponent(registriesArea, 'RegistriesPage'),
})
const newRegistry = createRoute({
  getParentRoute: () => signedIn,
  path: '/registries/new',
  beforeLoad: forAdmins,
  component: lazyRouteComponent(registryEditor, 'NewRegistryPage'),
})
const registry = createRoute({
  getParentRoute: () => signedIn,
  path: '/registries/$registry',
  validateSearch: search('tab', 'repository', 'reference', 'name', 'after'),
  component: lazyRouteComponent(registriesArea, 'RegistryPage'),
})
const editRegistry = createRoute({
  getParentRoute: () => signedIn,
  path: '/registries/$registry/edit',
  beforeLoad: forAdmins,
  component: lazyRouteComponent(registryEditor, 'EditRegistryPage'),
})

const runners = createRoute({
  getParentRoute: () => signedIn,
  path: '/runners',
  validateSearch: search('after'),
  component: lazyRouteComponent(registriesArea, 'RunnersPage'),
})
const transfers = createRoute({
  getParentRoute: () => signedIn,
  path: '/transfers',
  validateSearch: search('state', 'project', 'after'),
  component: lazyRouteComponent(transfersArea, 'TransfersPage'),
})
const transfer = createRoute({
  getParentRoute: () => signedIn,
  path: '/transfers/$transfer',
  component: lazyRouteComponent(transfersArea, 'TransferPage'),
})
const inventory = createRoute({
  getParentRoute: () => signedIn,
  path: '/inventory',
  validateSearch: search(
    ...(['registry', 'search', 'digest', 'size', 'platform', 'kind', 'gone', 'after'] as const),
  ),
  component: lazyRouteComponent(transfersArea, 'InventoryPage'),
})
/** Any other address: what surrounds the pages stays, with the ways to all that there is. */
const missing = createRoute({
  getParentRoute: () => shell,
  path: '$',
  component: MissingPage,
})

const tree = root.addChildren([
  signIn,
  shell.addChildren([
    signedIn.addChildren([
      overview,
      start,
      users,
      robots,
      account,
      audit,
      jobs,
      registries,
      newRegistry,
      registry,
      editRegistry,
      runners,
      transfers,
      transfer,
      inventory,
    ]),
    projects,
    project.addChildren([repositories, projectUsage, members, projectRobots, projectSettings]),
    repository.addChildren([tags, artifacts, charts, compare, about]),
    artifact,
    found,
    apiReference,
    missing,
  ]),
])

export function createConsoleRouter(queries: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { queries },
    defaultPreload: 'intent',
    defaultPreloadStaleTime: 0,
    scrollRestoration: true,
    defaultPendingComponent: PendingPage,
    defaultErrorComponent: FailedPage,
    defaultNotFoundComponent: MissingPage,
    // Plain text in addresses: `?name=7` stays a text, and links stay readable.
    parseSearch: (given) => Object.fromEntries(new URLSearchParams(given)),
    stringifySearch: (given) => {
      const entries = Object.entries(given).flatMap(([name, value]): [string, string][] =>
        value === undefined || value === '' ? [] : [[name, String(value)]],
      )
      return entries.length === 0 ? '' : `?${new URLSearchParams(entries)}`
    },
  })
}

export type ConsoleRouter = ReturnType<typeof createConsoleRouter>

declare module '@tanstack/react-router' {
  interface Register {
    router: ConsoleRouter
  }
}
