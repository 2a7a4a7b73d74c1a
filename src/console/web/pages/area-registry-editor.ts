/* Pages that are loaded together: what no page that shows registries needs. */

export { EditRegistryPage, NewRegistryPage } from './registries/editor.tsx'
