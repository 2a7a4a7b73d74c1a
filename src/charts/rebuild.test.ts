import { afterEach, beforeEach, expect, test } from 'bun:test'
import { createLog } from '../lib/log.ts'
import { createTestRebuild, type TestRebuild } from '../registry/journal/rebuild/test-rebuild.ts'
import { descriptorOf, imageOf, pushBlob, pushManifest } from '../registry/test-registry.ts'
import type { Db } from '../store/db/database.ts'
import { createSqliteTest } from '../store/db/test-databases.ts'
import { CHART_TYPE } from './media-types.ts'
import { createChartRecorder } from './recorder.ts'
import { chartOf } from './test-charts.ts'

let rebuilt: TestRebuild

beforeEach(async () => {
  const log = createLog({ level: 'error', format: 'json', output: () => {} })
  rebuilt = await createTestRebuild(createSqliteTest, {
    createWatch: (clock) => createChartRecorder({ clock, log }),
  })
})
afterEach(() => rebuilt.remove())

async function pushChart(name: string, version: string): Promise<void> {
  const { first } = rebuilt.registry
  const config = new TextEncoder().encode(JSON.stringify({ name, version }))
  const archive = chartOf({ name, version })
  for (const bytes of [config, archive]) await pushBlob(first, `team/charts/${name}`, bytes)
  const chart = imageOf([], {
    config: descriptorOf(config, CHART_TYPE.config),
    layers: [descriptorOf(archive, CHART_TYPE.archive)],
  })
  await pushManifest(first, `team/charts/${name}`, chart, { tag: version })
}

const versionsOf = (db: Db) =>
  db.query.selectFrom('chart_version').selectAll().orderBy('manifest').execute()

test('charts are listed after a rebuild as they were, with the times of their pushes', async () => {
  await pushChart('harbour', '1.0.0')
  rebuilt.registry.pass(86_400_000)
  await pushChart('harbour', '1.1.0')
  await pushChart('pier', '0.1.0')
  const before = await versionsOf(rebuilt.registry.first.db)
  expect(before).toHaveLength(3)
  await rebuilt.writeJournal()
  const db = await rebuilt.emptyDatabase()
  await rebuilt.run(db)
  expect(await versionsOf(db)).toEqual(before)
  expect(await rebuilt.problemsOf(db)).toEqual([])
})
