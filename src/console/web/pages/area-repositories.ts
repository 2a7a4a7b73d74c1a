/* Pages that are loaded together: a repository and what is in it. */

export { ArtifactPage } from './artifact/artifact.tsx'
export { ComparePage } from './compare/compare.tsx'
export { AboutPage } from './repository/about.tsx'
export { ArtifactsPage } from './repository/artifacts.tsx'
export { ChartsPage } from './repository/charts.tsx'
export { RepositoryPage } from './repository/repository.tsx'
export { TagsPage } from './repository/tags.tsx'
