import { expect, test } from 'bun:test'
import { shownUrl } from './shown-url.ts'

test('no password is shown, wherever it stands and whatever is in it', () => {
  const plain = 'postgres://entrepot@db.example.com/entrepot?sslmode=require'
  expect(shownUrl(plain)).toBe(plain)
  for (const url of [
    'postgres://u:planted@db:5432/x',
    'postgres://u:a@planted@db/x',
    'postgres://:planted@db/x',
    'postgres://db/x?user=u&password=planted',
    'postgres://db/x?PassWord=planted&password=planted',
    'postgres://db/x?sslpassword=planted',
    'postgres://u:planted@a:1,b:2/x',
  ]) {
    expect(shownUrl(url) ?? '').not.toContain('planted')
  }
})
