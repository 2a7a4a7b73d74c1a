import { AppError } from '../../lib/errors.ts'

/** The connections of a pool, as places that are taken in turn. */
export interface Places {
  /**
   * Resolves when there is one; `first`: before all who wait already.
   * @throws AppError unavailable when that takes too long
   */
  take(first?: boolean): Promise<void>
  /** Gives one back, to whoever has waited longest. */
  leave(): void
}

/**
 * A pool has one limit for making a connection and for waiting for one that others use. The first
 * says that the server is gone, which has to be told soon; the second that there is much to do.
 */
export function createPlaces(count: number, waitMs: number): Places {
  const waiting = new Set<() => void>()
  const urgent = new Set<() => void>()
  let free = count

  return {
    take(first = false) {
      const queue = first ? urgent : waiting
      if (free > 0) {
        free--
        return Promise.resolve()
      }
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          queue.delete(enter)
          reject(
            new AppError('unavailable', 'all connections to the database are in use; try again', {
              retryAfter: 1,
            }),
          )
        }, waitMs)
        const enter = () => {
          clearTimeout(timer)
          resolve()
        }
        queue.add(enter)
      })
    },
    leave() {
      const [next = firstOf(waiting)] = urgent
      if (!next) {
        free++
        return
      }
      urgent.delete(next)
      waiting.delete(next)
      next()
    },
  }
}

function firstOf<T>(items: Set<T>): T | undefined {
  const [first] = items
  return first
}
