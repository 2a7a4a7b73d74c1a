import type { Principal } from '../../accounts/principal.ts'
import { AppError, isAppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import { parseDigest } from '../../oci/digest.ts'
import type { Reference } from '../../oci/reference.ts'
import type { Registry } from '../../oci/registry.ts'
import type { OpenedRegistry } from '../registries/registries.ts'
import { LOCAL } from '../runners/identity.ts'
import type { CopyProgress, RunnerWork } from '../runners/protocol.ts'
import type { Carried } from './carrier.ts'
import type { RegistriesOfTransfers } from './ends.ts'
import { parsePlatform } from './platforms.ts'
import type { TagStoodFor } from './tag-stood-for.ts'
import type { Transfer } from './transfer.ts'
import { verifyArrived } from './verify-arrived.ts'

type CopyWork = Extract<RunnerWork, { kind: 'copy' }>

/** How a copy ended, as the runner says: nothing of it is known to be so. */
export interface ToldCopy {
  progress: CopyProgress
  /** Of what the target's tag points at; null: it does not say. */
  root: string | null
}

/** Has a runner copy between its registry and ourselves, or another registry. */
export type CopyByRunner = (
  request: Carried & {
    work: Omit<CopyWork, 'kind'>
    signal: AbortSignal
    onProgress: (progress: CopyProgress) => void
  },
) => Promise<ToldCopy>

/** The runner hears soon that a copy is not wanted any more. */
export type ForgetCopy = (registry: Carried['registry'], transfer: number) => Promise<void>

export interface CarriedDeps {
  access: { registries: Pick<RegistriesOfTransfers, 'open'> }
  /** Our own registry, for somebody. */
  ownRegistry(principal: () => Promise<Principal>): Registry
  connect(opened: OpenedRegistry): Registry
  byRunner: { copy: CopyByRunner; forgetCopy: ForgetCopy }
  tagStoodFor: TagStoodFor
}

/**
 * Has a runner do a transfer, and looks at what it brought where we can.
 * @param asked the digest that was found first, where there is one
 * @param isCalledOff whether nobody wants it any more, asked when it is broken off
 * @param onProgress what the runner says so far, with what we know better
 * @throws AppError of the runner; conflict when what it says that it brought is not there
 */
export async function copyByRunner(
  deps: CarriedDeps,
  {
    transfer,
    carried,
    asked,
    principal,
    signal,
    isCalledOff,
    onProgress,
  }: {
    transfer: Transfer
    carried: Carried
    asked: Reference
    principal: () => Promise<Principal>
    signal: AbortSignal
    isCalledOff: () => Promise<boolean>
    onProgress: (progress: CopyProgress) => void
  },
): Promise<void> {
  const { target } = transfer
  /** What a digest stands for is not the runner's to say. */
  const known = (progress: CopyProgress): CopyProgress =>
    asked.kind === 'tag' ? progress : { ...progress, digest: asked.digest }

  try {
    const { progress, root } = await deps.byRunner.copy({
      ...carried,
      work: copyWorkOf(transfer, asked, carried),
      signal,
      onProgress: (progress) => onProgress(known(progress)),
    })
    const told = known(progress)
    onProgress(told)
    const registry = await reachableTarget()
    if (registry) onProgress(await demandArrived(registry, told, root).catch(unlessUnseen(told)))
  } catch (error) {
    // Where this process alone ends, the runner goes on for the next one.
    if (signal.aborted && (await isCalledOff()))
      await deps.byRunner.forgetCopy(carried.registry, transfer.id)
    throw error
  }

  async function reachableTarget(): Promise<Registry | undefined> {
    if (target.registry === null) return deps.ownRegistry(principal)
    const { other } = carried
    const isHere = other?.id === target.registry && other.connectClusterId === LOCAL
    return isHere ? deps.connect(await deps.access.registries.open(other.id)) : undefined
  }

  /** Nobody but the runner can look where this server may not go, as into what is behind it. */
  function unlessUnseen(told: CopyProgress) {
    return (error: unknown): CopyProgress => {
      if (target.registry !== null && isAppError(error, 'address_refused')) return told
      throw error
    }
  }

  async function demandArrived(
    registry: Registry,
    told: CopyProgress,
    root: string | null,
  ): Promise<CopyProgress> {
    const { repository, name, tag } = target
    const { platforms, index } = transfer.options
    // The digest of an index that was written anew is known to who wrote it alone.
    const isNew = index === 'rewrite' && platforms.length > 0
    const digest = parseDigest((isNew ? root : told.digest) ?? '')
    if (!digest) {
      const why = because('transfer_untold', {})
      throw new AppError('conflict', 'the runner does not say what it has copied', why)
    }
    const note = await verifyArrived(
      { registry, repository, label: `${name}:${repository}` },
      {
        ...{ digest, tag, platforms: isNew ? [] : platforms.map(parsePlatform) },
        // Registries of others tell nobody what a tag stood for.
        stoodFor: async (of, digests) =>
          target.registry === null && deps.tagStoodFor(repository, of, digests, transfer.createdAt),
      },
      signal,
    )
    if (!note) return told
    // First, since an older runner's notes have nothing for the console beside them.
    return {
      ...told,
      notes: [note.sentence, ...told.notes],
      noteSays: [note.says, ...(told.noteSays ?? [])],
    }
  }
}

/** What the runner is told of a transfer. */
function copyWorkOf(
  { id, source, target, options }: Transfer,
  asked: Reference,
  { registry, other }: Carried,
): Omit<CopyWork, 'kind'> {
  const reference = asked.kind === 'tag' ? asked.tag : asked.digest
  return {
    transfer: id,
    direction: source.registry === registry.id ? 'in' : 'out',
    source: { repository: source.repository, reference },
    target: { repository: target.repository, tag: target.tag },
    ...options,
    ...(other ? { other: other.id } : {}),
  }
}
