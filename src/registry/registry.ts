import type { Authorizer } from '../accounts/authorize.ts'
import type { Clock } from '../lib/clock.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import type { Db } from '../store/db/database.ts'
import type { Activity } from './activity.ts'
import { type Artifacts, createArtifacts } from './artifacts.ts'
import { type Blobs, createBlobs } from './blobs.ts'
import { type Catalog, createCatalog } from './catalog.ts'
import { createDescribe } from './describe.ts'
import { type CreateManifestWatch, watchNothing } from './manifest-watch.ts'
import { createManifests, type Manifests } from './manifests.ts'
import type { Projects } from './projects.ts'
import { createReferrers, type Referrers } from './referrers.ts'
import { createRepositories, type Repositories } from './repositories.ts'
import { createTags, type Tags } from './tags.ts'
import { createUploads, type Uploads } from './uploads.ts'

/** Unless the settings say otherwise. */
const OPEN_UPLOADS_PER_ACCOUNT = 1_000

/** Our own registry, for every face. */
export interface LocalRegistry {
  projects: Projects
  repositories: Repositories
  uploads: Uploads
  blobs: Blobs
  manifests: Manifests
  artifacts: Artifacts
  tags: Tags
  referrers: Referrers
  catalog: Catalog
}

export function createRegistry(deps: {
  db: Db
  store: BlobStore
  clock: Clock
  authorizer: Authorizer
  projects: Projects
  settings: { sparse: boolean; openUploadsPerAccount?: number }
  /** Names this process in the rows of uploads. */
  writer: string
  /** Keeps a read model of what is pushed. */
  watch?: CreateManifestWatch
  activity?: Pick<Activity, 'pushed'>
}): LocalRegistry {
  const { projects } = deps
  const repositories = createRepositories({ ...deps, projects })
  const tags = createTags({ ...deps, repositories })
  const blobs = createBlobs({ ...deps, repositories })
  return {
    projects,
    repositories,
    tags,
    blobs,
    uploads: createUploads({
      ...deps,
      blobs,
      openPerAccount: deps.settings.openUploadsPerAccount ?? OPEN_UPLOADS_PER_ACCOUNT,
    }),
    manifests: createManifests({
      ...deps,
      watch: deps.watch?.({ blobs }) ?? watchNothing,
      repositories,
      tags,
      sparse: deps.settings.sparse,
      describe: createDescribe({ blobs }),
      ...(deps.activity ? { notePush: deps.activity.pushed } : {}),
    }),
    artifacts: createArtifacts(deps),
    referrers: createReferrers(deps),
    catalog: createCatalog(deps),
  }
}
