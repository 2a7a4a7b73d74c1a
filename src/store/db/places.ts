import { AppError } from '../../lib/errors.ts'

/** The connections of a pool, as places that are taken in turn. */
export interface Places {
  /** Resolves when there is one. @throws AppError unavailable when that takes too long */
  take(): Promise<void>
  /** Gives one back, to whoever has waited longest. */
  leave(): void
}

/**
 * A pool has one limit for making a connection and for waiting for one that others use. The first
 * says that the server is gone, which has to be told soon; the second that there is much to do.
 */
export function createPlaces(count: number, waitMs: number): Places {
  const waiting = new Set<() => void>()
  let free = count

  return {
    take() {
      if (free > 0) {
        free--
        return Promise.resolve()
      }
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(enter)
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
        waiting.add(enter)
      })
    },
    leave() {
      const [next] = waiting
      if (!next) {
        free++
        return
      }
      waiting.delete(next)
      next()
    },
  }
}
