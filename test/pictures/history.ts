import { Database } from 'bun:sqlite'
import { join } from 'node:path'
import type { Server } from '../acceptance/server.ts'

/*
 * What was pushed within a minute becomes the work of a month. The server must not run meanwhile.
 */

const MINUTE = 60_000
const DAY = 86_400_000
const DAYS = 45

/** The same in every run, between 0 and 1. */
const noise = (seed: number): number => {
  const value = Math.sin(seed * 12.9898) * 43758.5453
  return value - Math.floor(value)
}

interface Row {
  id: number
  repository: number
  rank: number
}

export const writeHistory = (server: Server, now = Date.now()): void => {
  const db = new Database(join(server.dataDir, 'entrepot.db'))
  try {
    db.transaction(() => {
      spreadPushes(db, now)
      countDays(db, Math.floor(now / DAY))
    })()
  } finally {
    db.close()
  }
}

/** The newest tags of a repository some minutes or hours ago, the others days and weeks. */
const spreadPushes = (db: Database, now: number): void => {
  const age = ({ repository, rank }: Row) =>
    Math.round(
      (12 + repository * 47 + rank * 2900 * (1 + noise(repository + rank))) * MINUTE +
        rank * rank * DAY,
    )
  const ranked = (table: string) =>
    db
      .query(
        `select id, repository,
           (select count(*) from tag later where later.repository = ${table}.repository
              and later.id > ${table === 'tag' ? 'tag.id' : 'coalesce((select min(id) from tag of_it where of_it.manifest = manifest.id), 0)'}) as rank
         from ${table}`,
      )
      .all() as Row[]
  const latest = db.query('select max(id) as id from repository').get() as { id: number }
  // The last repository that was pushed to is the one of which there is news.
  const repositories = new Map<number, number>()
  const place = (row: Row): Row => ({ ...row, repository: latest.id - row.repository })
  for (const row of ranked('manifest')) {
    const at = now - age(place(row))
    db.query('update manifest set created_at = ?, pulled_at = ? where id = ?').run(
      at,
      at + Math.round((now - at) * noise(row.id) * 0.9),
      row.id,
    )
  }
  for (const row of ranked('tag')) {
    const at = now - age(place(row))
    repositories.set(row.repository, Math.max(repositories.get(row.repository) ?? 0, at))
    const pulled = at + Math.round((now - at) * (0.5 + noise(row.id) / 2))
    db.query('update tag set created_at = ?, updated_at = ?, pulled_at = ? where id = ?').run(
      at,
      at,
      pulled,
      row.id,
    )
  }
  for (const [id, at] of repositories) {
    db.query('update repository set created_at = ?, updated_at = ? where id = ?').run(
      at - 40 * DAY,
      at,
      id,
    )
  }
  db.query('update project set created_at = ?').run(now - 80 * DAY)
  db.query('update account set created_at = ?').run(now - 80 * DAY)
  db.query(
    'update chart_version set created_at = (select created_at from manifest m where m.id = chart_version.manifest)',
  ).run()
}

/** Storage grows to what there is now, and people rest at weekends. */
const countDays = (db: Database, today: number): void => {
  const sums = db
    .query(
      `select project, sum(logical_bytes) as logical, sum(unique_bytes) as own from (
         select project, logical_bytes, unique_bytes from project_usage
         union all select project, logical_bytes, unique_bytes from usage_delta
       ) group by project`,
    )
    .all() as { project: number; logical: number; own: number }[]
  const stored = db.query("select sum(size) as bytes from content where state = 'live'").get() as {
    bytes: number
  }
  const insert = db.query(
    `insert into usage (project, day, logical_bytes, unique_bytes, physical_bytes, pushes, pulls)
     values (?, ?, ?, ?, ?, ?, ?)
     on conflict (project, day) do update set logical_bytes = excluded.logical_bytes,
       unique_bytes = excluded.unique_bytes, physical_bytes = excluded.physical_bytes,
       pushes = excluded.pushes, pulls = excluded.pulls`,
  )
  for (let back = DAYS; back >= 0; back--) {
    const day = today - back
    const isWeekend = [0, 6].includes(new Date(day * DAY).getUTCDay())
    // Releases come in steps, and what nothing uses is collected now and then.
    const grown = 1 - 0.42 * (back / DAYS) - (back > 0 && back % 11 > 7 ? 0.03 : 0)
    let [logical, own, pushes, pulls] = [0, 0, 0, 0]
    for (const { project, logical: used, own: unique } of sums) {
      const rest = isWeekend ? 0.2 : 1
      const pushed = Math.round((3 + noise(day + project) * 9) * rest)
      const pulled = Math.round((40 + noise(day * 3 + project) * 70) * (0.4 + rest * 0.6))
      const row = [used * grown, unique * (grown * 0.8 + 0.2)].map(Math.round)
      insert.run(project, day, row[0] ?? 0, row[1] ?? 0, null, pushed, pulled)
      logical += row[0] ?? 0
      own += row[1] ?? 0
      pushes += pushed
      pulls += pulled
    }
    const physical = Math.round(stored.bytes * (grown * 0.75 + 0.25))
    insert.run(0, day, logical, own, physical, pushes, pulls)
  }
}
