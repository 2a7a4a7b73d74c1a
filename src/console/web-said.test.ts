import { expect, test } from 'bun:test'
import { createInstance } from 'i18next'
import { sayReason } from './web/parts/said.ts'

test('what a server or a runner puts into a reason fills its text, and nothing else', async () => {
  const i18n = createInstance()
  await i18n.init({
    lng: 'en',
    resources: {
      en: { translation: { reasons: { name_taken: '{{name}} is taken', deep: { a: 'b' } } } },
      zh: { translation: { reasons: { name_taken: 'other' } } },
    },
    interpolation: { escapeValue: false },
  })
  const { t } = i18n
  const say = (name: string, params: Record<string, string | number>) =>
    sayReason(t, { name, params })
  const name = 'far'
  expect(say('name_taken', { name })).toBe('far is taken')
  for (const option of ['lng', 'returnObjects', 'returnDetails', 'interpolation', 'context']) {
    expect([option, say('name_taken', { name, [option]: 'zh' })]).toEqual([option, 'far is taken'])
  }
  expect(say('name_taken', { name: '$t(reasons.name_taken)' })).toBe(
    '$t(reasons.name_taken) is taken',
  )
  for (const other of ['no_such', 'constructor', 'toString', 'a.b', '']) {
    const said = say(other, { name, returnObjects: 1, defaultValue: 'x' })
    expect([other, said === undefined || typeof said === 'string']).toEqual([other, true])
    expect([other, said]).not.toEqual([other, 'x'])
  }
})
