import type { BunPlugin } from 'bun'

/*
 * Parts of the components that come along with tables and are never shown: choosing rows, menus of
 * filters with their trees, and pages by number. Left out they save every visitor about a tenth of
 * the first load. Who needs one of them takes its line away.
 */
const STAND_INS: Record<string, string> = {
  'antd/es/pagination/index.js': 'export default () => null',
  'antd/es/table/hooks/useFilter/FilterDropdown.js':
    'export const flattenKeys = () => []\nexport default () => null',
  'antd/es/table/hooks/useSelection.js': `export const SELECTION_COLUMN = {}
    export const SELECTION_ALL = 'SELECT_ALL'
    export const SELECTION_INVERT = 'SELECT_INVERT'
    export const SELECTION_NONE = 'SELECT_NONE'
    const columnsAsTheyAre = (columns) => columns
    const nothing = new Set()
    export default () => [columnsAsTheyAre, nothing]`,
}

export const leaveOut: BunPlugin = {
  name: 'leave-out',
  setup(build) {
    const names = Object.keys(STAND_INS).map((name) => name.replaceAll('.', '\\.'))
    build.onLoad({ filter: new RegExp(`(${names.join('|')})$`) }, ({ path }) => {
      const name = Object.keys(STAND_INS).find((known) => path.endsWith(known)) ?? ''
      return { contents: STAND_INS[name] ?? '', loader: 'js' }
    })
  },
}
