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
    for (const { owner, name: digest, state } of page) {
      const { id, bytes, mediaType, createdAt } = parseState('manifest', state)
      const tags = await db.query
        .selectFrom('tag')
        .select('name')
        .where('manifest', '=', id)
        .orderBy('name')
        .execute()
      if (tags.length === 0) continue
      const { project, name } = await nameOf(db, owner)
      const full = parseRepositoryName(`${project.name}/${name}`)
      if (!full) continue
      const parsed = parseManifest(Buffer.from(bytes, 'base64'), mediaType)
      const names = tags.map((tag) => tag.name)
      const write = await watch({ name: full, parsed, tags: names })
      const repository = { id: owner, project, name: full }
      const manifest = { id, digest: digest as Digest }
      writes.push({
        createdAt,
        write,
        stored: { repository, manifest, tags: names, moved: false },
      })
    }
    await db.transaction(async (tx) => {
      for (const { createdAt, write, stored } of writes) {
        pushedAt = createdAt
        await write(tx, stored)
      }
    })
  }
}

async function nameOf(db: Db, repository: number) {
  const row = await db.query
    .selectFrom('repository')
    .innerJoin('project', 'project.id', 'repository.project')
    .select(['repository.name', 'project.id', 'project.name as projectName', 'project.quota'])
    .where('repository.id', '=', repository)
    .executeTakeFirstOrThrow()
  return { name: row.name, project: { id: row.id, name: row.projectName, quota: row.quota } }
}
