import { expect, test } from 'bun:test'
import { createPlaces } from './places.ts'

test('whoever has waited longest gets the place that is given back', async () => {
  const places = createPlaces(1, 60_000)
  await places.take()
  const order: number[] = []
  const waiting = [1, 2, 3].map((turn) => places.take().then(() => order.push(turn)))
  for (const each of waiting) {
    places.leave()
    await each
  }
  expect(order).toEqual([1, 2, 3])
  places.leave()
  await places.take()
})

test('who gave up waiting takes no place from the others', async () => {
  const places = createPlaces(1, 1)
  await places.take()
  await expect(places.take()).rejects.toThrow('all connections to the database are in use')
  places.leave()
  await places.take()
})

test('who may go first goes before those who wait already', async () => {
  const places = createPlaces(1, 60_000)
  await places.take()
  const order: string[] = []
  const waiting = places.take().then(() => order.push('waiting'))
  const first = places.take(true).then(() => order.push('first'))
  places.leave()
  await first
  places.leave()
  await waiting
  expect(order).toEqual(['first', 'waiting'])
})
