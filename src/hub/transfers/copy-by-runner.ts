import type { RegistryRecord } from '../registries/record.ts'
import { LOCAL } from '../runners/identity.ts'
import type { CopyProgress, RunnerWork } from '../runners/protocol.ts'
import type { RegistriesOfTransfers } from './ends.ts'
import type { Transfer } from './transfer.ts'

type CopyWork = Extract<RunnerWork, { kind: 'copy' }>

/** How a copy ended, as the runner says: nothing of it is known to be so. */
export interface ToldCopy {
  progress: CopyProgress
  /** Of what the target's tag points at; null: it does not say. */
  root: string | null
}

/** Has a runner copy between its registry and ourselves. */
export type CopyByRunner = (request: {
  registry: RegistryRecord
  work: Omit<CopyWork, 'kind'>
  signal: AbortSignal
  onProgress: (progress: CopyProgress) => void
}) => Promise<ToldCopy>

/** The runner hears soon that a copy is not wanted any more. */
export type ForgetCopy = (registry: RegistryRecord, transfer: number) => Promise<void>

/** The end of a transfer that only a runner can speak to; undefined: there is none. */
export async function endAtRunner(
  registries: RegistriesOfTransfers,
  { source, target }: Pick<Transfer, 'source' | 'target'>,
): Promise<RegistryRecord | undefined> {
  for (const { registry: id } of [source, target]) {
    const registry = id === null ? undefined : await registries.get(id)
    if (registry && registry.connectClusterId !== LOCAL) return registry
  }
  return undefined
}

/** What the runner is told of a transfer. @param reference a digest where that is known */
export function copyWorkOf(
  { id, source, target, options }: Transfer,
  reference: string,
): Omit<CopyWork, 'kind'> {
  return {
    transfer: id,
    direction: target.registry === null ? 'in' : 'out',
    source: { repository: source.repository, reference },
    target: { repository: target.repository, tag: target.tag },
    ...options,
  }
}
