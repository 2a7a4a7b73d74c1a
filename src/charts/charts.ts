import type { LocalRegistry } from '../registry/registry.ts'
import type { Db } from '../store/db/database.ts'
import { type ChartCatalog, createChartCatalog } from './catalog.ts'
import { type ChartContents, createChartContents } from './contents.ts'
import { type ChartIndex, createChartIndex } from './index-file.ts'
import { type ChartPublisher, createChartPublisher } from './publish.ts'
import { type ChartRemoval, createChartRemoval } from './removal.ts'

/** Helm charts over the registry, for every face. */
export interface Charts {
  catalog: ChartCatalog
  index: ChartIndex
  contents: ChartContents
  publisher: ChartPublisher
  removal: ChartRemoval
}

export function createCharts({ db, registry }: { db: Db; registry: LocalRegistry }): Charts {
  const { blobs } = registry
  const catalog = createChartCatalog({ db, blobs })
  return {
    catalog,
    index: createChartIndex({ db }),
    contents: createChartContents({ blobs }),
    publisher: createChartPublisher({ registry, catalog }),
    removal: createChartRemoval({ db, registry, catalog }),
  }
}
