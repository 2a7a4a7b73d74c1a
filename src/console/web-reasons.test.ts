import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { reasons } from './web/locales/zh/reasons.ts'

/* The compiler sees that each reason has a text; here that the text uses what it is given. */

const file = join(import.meta.dir, '../lib/reasons.ts')

/** Names of what stands in the sentence of each reason, as its type says. */
async function paramsOfReasons(): Promise<Map<string, string[]>> {
  const source = await Bun.file(file).text()
  const table = /export interface Reasons \{\n([\s\S]*?)\n\}\n/.exec(source)?.[1] ?? ''
  const entries = [...table.matchAll(/^ {2}(\w+): (.+)$/gm)]
  return new Map(
    entries.map(([, name = '', type = '']) => [
      name,
      [
        ...(type.includes('OfHost') ? ['host'] : []),
        ...[...type.matchAll(/(\w+): (?:string|number)/g)].map(([, param = '']) => param),
      ],
    ]),
  )
}

test('a reason is said with what it was given, and with nothing else', async () => {
  const known = await paramsOfReasons()
  expect([...known.keys()].sort()).toEqual(Object.keys(reasons).sort())
  for (const [name, text] of Object.entries(reasons)) {
    const used = [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, param = '']) => param)
    expect([name, used.filter((param) => !known.get(name)?.includes(param))]).toEqual([name, []])
  }
})
