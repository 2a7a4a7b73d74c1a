/* Pages that are loaded together: registries of others. */

export { RegistriesPage } from './registries/registries.tsx'
export { RegistryPage } from './registries/registry.tsx'
export { RunnersPage } from './runners/runners.tsx'
