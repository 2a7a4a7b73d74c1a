/*
 * Pages that are loaded together, since they are made of the same components: apart they would be
 * dozens of small files, and browsers ask for six at a time.
 */

export { AccountPage } from './accounts/account.tsx'
export { RobotsPage } from './accounts/robots.tsx'
export { UsersPage } from './accounts/users.tsx'
export { MembersPage } from './projects/members.tsx'
export { ProjectPage } from './projects/project.tsx'
export { ProjectRobotsPage } from './projects/project-robots.tsx'
export { ProjectUsagePage } from './projects/project-usage.tsx'
export { ProjectsPage } from './projects/projects.tsx'
export { RepositoriesPage } from './projects/repositories.tsx'
export { ProjectSettingsPage } from './projects/settings.tsx'
export { SearchPage } from './search/search.tsx'
