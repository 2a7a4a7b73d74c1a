import { describe, expect, test } from 'bun:test'
import type { RegistryRecord } from '../registries/record.ts'
import { carrierOf } from './carrier.ts'

const record = (name: string, more: Partial<RegistryRecord>) =>
  ({ id: name, name, accessKey: '', hasSecret: false, ...more }) as RegistryRecord

const east = record('east', { connectClusterId: 'edge-1', accessKey: 'ci', hasSecret: true })
const other = record('other', { connectClusterId: 'edge-1', accessKey: 'ci', hasSecret: true })
const west = record('west', { connectClusterId: 'edge-2' })
const open = record('open', { connectClusterId: 'local' })
const shut = record('shut', { connectClusterId: 'local', accessKey: 'ci', hasSecret: true })
const named = record('named', { connectClusterId: 'local', accessKey: 'ci' })

describe('who copies', () => {
  test.each([
    ['what the server reaches: itself', open, shut, undefined],
    ['from ourselves to one', undefined, shut, undefined],
    ['within one: its runner', east, east, { registry: east, other: east }],
    ['from one to ourselves', east, undefined, { registry: east, other: undefined }],
    ['from ourselves to one at a runner', undefined, east, { registry: east, other: undefined }],
    ['between two of one runner', east, other, { registry: east, other }],
    ['to one without a password', east, open, { registry: east, other: open }],
    ['from one without a password', open, east, { registry: east, other: open }],
  ])('%s', (_, source, target, carried) => {
    expect(carrierOf(source, target)).toEqual(carried)
  })

  test.each([
    ['two runners', east, west],
    ['one that is given no password', east, shut],
    ['the same, the other way', shut, east],
    ['the same of a name alone', named, east],
  ])('nobody: %s', (_, source, target) => {
    expect(() => carrierOf(source, target)).toThrow('copy to "self" first')
  })
})
