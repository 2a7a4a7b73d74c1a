import { expect, test } from 'bun:test'
import { inspect } from './boundaries.ts'

function problemsIn(file: string, content: string): string[] {
  return inspect(new Map([[file, content]])).map(({ line, problem }) => `${line}: ${problem}`)
}

test('arrows that go down or stay in the room are free', () => {
  const content = [
    `import { Database } from 'bun:sqlite'`,
    `import type { Db } from '../store/db/database.ts'`,
    `import { tagOf } from './tags.ts'`,
    `const late = () => import('../lib/ids.ts')`,
  ].join('\n')
  expect(problemsIn('src/registry/manifests.ts', content)).toEqual([])
})

test.each([
  [`import { serve } from '../http/server.ts'`],
  [`import type { Server } from '../http/server.ts'`],
  [`export * from '../http/server.ts'`],
  [`const late = () => import('../http/server.ts')`],
  [`import '../http/server.ts'`],
])('an arrow that goes up is found: %s', (statement) => {
  const [problem] = problemsIn('src/registry/tags.test.ts', `// a comment\n\n${statement}\n`)
  expect(problem).toBe(
    '3: imports src/http/server.ts, but registry must not know http: it stands below it',
  )
})

test('an import over several lines is found where it ends', () => {
  const content = `import {\n  one,\n  two,\n} from '../../app.ts'\n`
  expect(problemsIn('src/store/db/sqlite.ts', content)).toEqual([
    '4: imports src/app.ts, but store must not know app: it stands below it',
  ])
})

test('what is there for tests stays with them', () => {
  const content = `import { createMigrated } from '../store/db/test-databases.ts'\n`
  expect(problemsIn('src/jobs/queue.test.ts', content)).toEqual([])
  expect(problemsIn('src/jobs/test-queue.ts', content)).toEqual([])
  expect(problemsIn('src/jobs/queue.ts', content)).toEqual([
    '1: imports src/store/db/test-databases.ts, which is there for tests only',
  ])
})

test('nothing of src reaches out of it', () => {
  const content = `import { x } from '../../test/run.ts'\nimport p from '../../package.json'\n`
  expect(problemsIn('src/cli/program.ts', content)).toEqual([
    '1: imports test/run.ts, which is outside of src',
  ])
})

test('oci runs in the browser', () => {
  const content = `import { createHash } from 'node:crypto'\n`
  expect(problemsIn('src/oci/digest.ts', content)).toEqual([
    '1: imports node:crypto, but oci/ runs in the browser too',
  ])
  expect(problemsIn('src/oci/digest.test.ts', content)).toEqual([])
})

test('acceptance tests see of src only oci and client', () => {
  const content = `import { a } from '../../src/oci/digest.ts'\nimport { b } from '../../src/app.ts'\n`
  expect(problemsIn('test/acceptance/push.test.ts', content)).toEqual([
    '2: imports src/app.ts, but acceptance tests know only the program from outside',
  ])
})

test('files are named after something and stay small', () => {
  expect(problemsIn('src/lib/utils.ts', '')).toHaveLength(1)
  expect(problemsIn('src/registry/helpers/tags.ts', '')).toHaveLength(1)
  expect(problemsIn('src/registry/tags.ts', 'x\n'.repeat(300))).toEqual([])
  const [long] = inspect(new Map([['src/lib/a.ts', 'x\n'.repeat(301)]]))
  expect(long?.isWarning).toBe(true)
  const [tooLong] = inspect(new Map([['src/lib/a.ts', 'x\n'.repeat(401)]]))
  expect(tooLong?.isWarning).toBeUndefined()
})

test('a room without a place in the list is no room', () => {
  expect(() => problemsIn('src/attic/a.ts', `import { b } from '../lib/b.ts'`)).toThrow(
    /src\/attic/,
  )
})

test('the code for the browser knows nothing of the server', () => {
  const content = [
    `import { join } from 'node:path'`,
    `import { parseDigest } from '../../oci/digest.ts'`,
    ['import icon from', `'./icon.svg'`].join(' '),
    `import type { Log } from '../../lib/log.ts'`,
    `import type { ConsoleAssets } from '../assets.ts'`,
  ].join('\n')
  expect(problemsIn('src/console/web/main.tsx', content)).toEqual([
    '1: imports node:path, but console/ runs in the browser',
    "4: imports src/lib/log.ts, but the console's code for the browser knows only oci/",
    "5: imports src/console/assets.ts, but the console's code for the browser knows only oci/",
  ])
})
