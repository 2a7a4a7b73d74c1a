/* Pages that are loaded together: what most people see first. */

export { OverviewPage } from './overview/overview.tsx'
export { StartPage } from './start.tsx'
