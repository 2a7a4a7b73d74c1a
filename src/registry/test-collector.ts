import type { Db } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import { unlinkContent } from './content.ts'
import { charge, noChange } from './usage.ts'

/**
 * What a collector does in one transaction: takes a content away from repositories where no
 * manifest refers to it, and the content itself once nothing holds it. It locks as the design
 * says: the content, then what shows it, each checked again under the lock. Returns how many
 * contents it took.
 *
 * @param before only what was unreferenced before this time
 */
export function collect(db: Db, sha256: string, before: number): Promise<number> {
  return db.transaction(async (tx) => {
    const content = await db.engine
      .lockRows(
        tx
          .selectFrom('content')
          .select(['id', 'size'])
          .where('sha256', '=', sha256)
          .where('state', '=', LIVE),
        'update',
      )
      .executeTakeFirst()
    if (!content) return 0
    const shown = await db.engine
      .lockRows(
        tx
          .selectFrom('repository_blob')
          .select(['repository', 'digest'])
          .where('content', '=', content.id)
          .where('unreferenced_since', '<', before)
          .orderBy('digest')
          .orderBy('repository'),
        'update',
      )
      .execute()
    for (const { repository, digest } of shown) {
      const edge = await tx
        .selectFrom('manifest_ref')
        .innerJoin('manifest', 'manifest.id', 'manifest_ref.parent')
        .select('manifest.id')
        .where('manifest_ref.repository', '=', repository)
        .where('child', '=', digest)
        .where('manifest.state', '=', LIVE)
        .limit(1)
        .executeTakeFirst()
      if (edge) continue
      const project = await tx
        .selectFrom('repository')
        .innerJoin('project', 'project.id', 'repository.project')
        .select(['project.id', 'project.name', 'project.quota'])
        .where('repository.id', '=', repository)
        .executeTakeFirstOrThrow()
      await tx
        .deleteFrom('repository_blob')
        .where('repository', '=', repository)
        .where('digest', '=', digest)
        .execute()
      const change = noChange()
      await unlinkContent(tx, project.id, content, change)
      await charge(tx, project, repository, change)
    }
    const held = await tx
      .selectFrom('repository_blob')
      .select('content')
      .where('content', '=', content.id)
      .union(tx.selectFrom('manifest').select('content').where('content', '=', content.id))
      .execute()
    if (held.length > 0) return 0
    await tx
      .updateTable('content')
      .set({ state: 'deleting' })
      .where('id', '=', content.id)
      .execute()
    return 1
  })
}
