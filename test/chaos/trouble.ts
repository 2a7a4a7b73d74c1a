import type { Engines } from '../acceptance/engines.ts'
import type { Random } from '../acceptance/random.ts'
import type { Replicas } from '../acceptance/replicas.ts'
import { FAULTS, type S3Faults } from './s3-faults.ts'

/*
 * Everything that a hosting provider, an operator and a bad day do to an installation, one after the
 * other and at random.
 */

export type Trouble = {
  readonly counts: Readonly<Record<string, number>>
  /** Resolves when nothing is made any more and all runs again. */
  readonly ended: Promise<void>
}

/** No sooner again: it takes a moment until a server is back that was cut off. */
const POSTGRES_PAUSE_MS = 12_000

export const makeTrouble = (options: {
  readonly replicas: Replicas
  readonly engines: Engines
  readonly faults: S3Faults
  readonly random: Random
  readonly isOver: () => boolean
}): Trouble => {
  const { replicas, engines, faults, random, isOver } = options
  const counts: Record<string, number> = {}
  let postgresAt = Date.now() + POSTGRES_PAUSE_MS / 2

  const victim = () => random.pick(replicas.members)
  const revive = async () => {
    await Bun.sleep(random.between(0, 2_000))
    await replicas.revive()
  }

  const kinds: Readonly<Record<string, () => Promise<boolean>>> = {
    async 'replicas killed'() {
      await victim().killAll()
      await revive()
      return true
    },
    async 'two replicas killed'() {
      const [one, other] = [victim(), victim()]
      await Promise.all([...new Set([one, other])].map((member) => member.killAll()))
      await revive()
      return true
    },
    async 'supervisors killed'() {
      await victim().killSupervisor()
      await revive()
      return true
    },
    async 'processes killed'() {
      const member = victim()
      const children = await member.children()
      if (children.length === 0) return false
      member.killChild(random.pick(children))
      return true
    },
    async 'replicas stopped'() {
      await victim().stop()
      await revive()
      return true
    },
    async 'PostgreSQL restarted'() {
      if (Date.now() < postgresAt) return false
      postgresAt = Date.now() + POSTGRES_PAUSE_MS
      await engines.restartPostgres()
      return true
    },
    // These go on while the next one happens.
    async 'S3 faults'() {
      const share = random.pick([0.1, 0.3, 0.7])
      const kind = random.chance(0.5) ? random.pick(FAULTS) : undefined
      const until = Date.now() + random.between(2_000, 8_000)
      faults.decide = () =>
        Date.now() < until && random.chance(share) ? (kind ?? random.pick(FAULTS)) : undefined
      return true
    },
    async 'S3 outages'() {
      const kind = random.pick(['error', 'busy', 'cut'] as const)
      const until = Date.now() + random.between(500, 4_000)
      faults.decide = () => (Date.now() < until ? kind : undefined)
      return true
    },
  }

  const run = async () => {
    while (!isOver()) {
      await Bun.sleep(random.between(300, 2_500))
      if (isOver()) break
      const name = random.pick(Object.keys(kinds))
      if (await kinds[name]?.()) counts[name] = (counts[name] ?? 0) + 1
    }
    faults.decide = () => undefined
    await replicas.revive()
  }
  return { counts, ended: run() }
}
