/* Pages that are loaded together. */

export { ApiReferencePage } from './system/api-reference.tsx'
export { JobsPage } from './system/jobs.tsx'
