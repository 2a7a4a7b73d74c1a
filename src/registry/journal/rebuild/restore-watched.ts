import { createAuthorizer } from '../../../accounts/authorize.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Digest } from '../../../oci/digest.ts'
import { parseManifest } from '../../../oci/manifest.ts'
import { parseRepositoryName } from '../../../oci/reference.ts'
import type { BlobStore } from '../../../store/blobs/blob-store.ts'
import type { Db } from '../../../store/db/database.ts'
import { createBlobs } from '../../blobs.ts'
import type { CreateManifestWatch, ManifestWatch, StoredTags } from '../../manifest-watch.ts'
import { createProjects } from '../../projects.ts'
import { createRepositories } from '../../repositories.ts'
import { parseState } from '../records.ts'
import type { Scratch } from './scratch.ts'

type Write = Awaited<ReturnType<ManifestWatch>>

/** Shows the manifests that have tags to those who keep read models, as their pushes did. */
export async function restoreWatched(
  db: Db,
  { scratch, store, clock }: { scratch: Scratch; store: BlobStore; clock: Clock },
  createWatch: (clock: Clock) => CreateManifestWatch,
): Promise<void> {
  const repositories = createRepositories({ db, clock, projects: createProjects({ db, clock }) })
  const settings = { anonymousWrite: false, projectCreators: 'admins' } as const
  const authorizer = createAuthorizer({ db, clock, settings })
  let pushedAt = 0
  const watch = createWatch(() => pushedAt)({
    blobs: createBlobs({ db, store, clock, repositories, authorizer }),
  })
  for (const page of scratch.pages('manifest')) {
    const writes: { createdAt: number; write: Write; stored: StoredTags }[] = []
    const manifests = page.map(({ name, state }) => ({ name, ...parseState('manifest', state) }))
    const tagged = await tagsOf(
      db,
      manifests.map(({ id }) => id),
    )
    for (const { id, name: digest, bytes, mediaType, createdAt } of manifests) {
      const tags = tagged.get(id)
      const [first] = tags ?? []
      const name = first && parseRepositoryName(`${first.projectName}/${first.path}`)
      if (!tags || !first || !name) continue
      const parsed = parseManifest(Buffer.from(bytes, 'base64'), mediaType)
      const names = tags.map((tag) => tag.name)
      const project = { id: first.project, name: first.projectName, quota: first.quota }
      const stored = {
        repository: { id: first.repository, project, name },
        manifest: { id, digest: digest as Digest },
        tags: names,
        moved: false,
      }
      writes.push({ createdAt, write: await watch({ name, parsed, tags: names }), stored })
    }
    await db.transaction(async (tx) => {
      for (const { createdAt, write, stored } of writes) {
        pushedAt = createdAt
        await write(tx, stored)
      }
    })
  }
}

/** The tags of manifests, by the manifest's id, with what names their repository. */
async function tagsOf(db: Db, manifests: readonly number[]) {
  const rows = await db.query
    .selectFrom('tag')
    .innerJoin('repository', 'repository.id', 'tag.repository')
    .innerJoin('project', 'project.id', 'repository.project')
    .select(['manifest', 'tag.name', 'tag.repository', 'repository.name as path'])
    .select(['repository.project', 'project.name as projectName', 'quota'])
    .where('manifest', 'in', [...manifests])
    .orderBy('tag.name')
    .execute()
  return Map.groupBy(rows, (row) => row.manifest)
}
