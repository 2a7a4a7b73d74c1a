import { algorithmOf, type Digest, parseDigest, toDigest } from '../../../oci/digest.ts'
import { mayBeAbsent, type ParsedManifest, parseManifest } from '../../../oci/manifest.ts'
import { isProjectName, isRepositoryPath, isTag } from '../../../oci/reference.ts'
import type { BlobStore } from '../../../store/blobs/blob-store.ts'
import { type ContentState, parseState, type RecordKey } from '../records.ts'
import type { Entry, Scratch } from './scratch.ts'

/*
 * What the journal says, compared with the bytes: what cannot be brought back is dropped, and told
 * by name, so that all that is brought back can be pulled.
 */

export interface CheckOptions {
  /** Also reads all bytes and compares their digests. */
  deep: boolean
  /** Images may lack blobs: the setting `manifests.sparse`. */
  sparse: boolean
  /** Takes what is lost, one sentence each. */
  onLost(sentence: string): void
  /** After each part of the work. */
  onProgress?(part: string): void
}

/** Reads which bytes the store has. */
export async function readStored(store: BlobStore, scratch: Scratch): Promise<void> {
  let batch: { key: string; size: number }[] = []
  for await (const { key, size, isUnfinished } of store.list()) {
    if (isUnfinished) continue
    batch.push({ key, size })
    if (batch.length < 1_000) continue
    scratch.addStored(batch)
    batch = []
  }
  scratch.addStored(batch)
}

export async function check(
  store: BlobStore,
  scratch: Scratch,
  options: CheckOptions,
): Promise<void> {
  const { deep, sparse, onLost, onProgress = () => {} } = options

  function lose(key: RecordKey, why: string): void {
    // What it is called may be anything, and is read in a terminal.
    onLost(`${describe(scratch, key)}: ${why}`.replaceAll(/\p{Cc}/gu, '?'))
    scratch.drop(key)
  }

  /** Why these bytes cannot be had; undefined: they can. */
  async function problemOfStored(key: string, digest: Digest, size: number, sha256: string) {
    scratch.nameStored(key)
    const stored = scratch.storedSize(key)
    if (stored === undefined) return `its bytes are not in the store, under ${key}`
    if (stored !== size) return `it has ${size} bytes, but ${stored} are stored under ${key}`
    if (!deep) return undefined
    let verdict = scratch.verdict(key)
    if (verdict === undefined) {
      verdict = await hashStored(store, key, size)
      scratch.keepVerdict(key, verdict)
    }
    const isRight = verdict.split(' ').includes(digest) && verdict.includes(sha256)
    return isRight ? undefined : `the bytes under ${key} are others`
  }

  async function checkBlob({ owner, name, state }: Entry): Promise<void> {
    const key = { kind: 'blob', owner, name } as const
    const { content, bytes } = parseState('blob', state)
    const digest = parseDigest(name)
    if (!digest) return lose(key, 'it is not a digest')
    if (content.key === null) {
      const inline = Buffer.from(bytes ?? '', 'base64')
      if (!isOf(inline, content) || hashOf(inline, digest) !== digest) {
        return lose(key, 'its bytes in the journal are others')
      }
    } else {
      if (algorithmOf(digest) === 'sha256' && digest !== toDigest('sha256', content.sha256)) {
        return lose(key, 'the journal names other bytes')
      }
      const problem = await problemOfStored(content.key, digest, content.size, content.sha256)
      if (problem) return lose(key, problem)
    }
    scratch.addContent(content)
  }

  async function checkManifest({ owner, name, state }: Entry): Promise<void> {
    const key = { kind: 'manifest', owner, name } as const
    const { content, bytes: packed, mediaType } = parseState('manifest', state)
    const bytes = Buffer.from(packed, 'base64')
    const digest = parseDigest(name)
    if (!digest || !isOf(bytes, content) || hashOf(bytes, digest) !== digest) {
      return lose(key, 'its bytes in the journal are others')
    }
    const parsed = parseSafely(bytes, mediaType)
    if (!parsed) return lose(key, 'it is not a manifest')
    const missing = sparse ? undefined : missingBlob(scratch, owner, parsed)
    if (missing) return lose(key, `its blob ${missing} is not there`)
    const sha256 = toDigest('sha256', content.sha256)
    const isStored =
      content.key !== null &&
      (await problemOfStored(content.key, sha256, content.size, content.sha256)) === undefined
    // The bytes came as a blob before, and are here too.
    scratch.addContent(isStored ? content : { ...content, key: null })
  }

  checkNames(scratch, lose)
  onProgress('names')
  scratch.dropStrays()
  for (const page of scratch.pages('blob')) for (const entry of page) await checkBlob(entry)
  onProgress('blobs')
  for (const page of scratch.pages('manifest')) for (const entry of page) await checkManifest(entry)
  onProgress('manifests')
  for (const page of scratch.pages('tag')) {
    for (const { owner, name, state } of page) {
      if (!isTag(name)) {
        lose({ kind: 'tag', owner, name }, 'its name is none')
        continue
      }
      const { digest } = parseState('tag', state)
      if (scratch.find({ kind: 'manifest', owner, name: digest })) continue
      lose({ kind: 'tag', owner, name }, `its manifest ${digest} is not there`)
    }
  }
  onProgress('tags')
}

/** Of two rows with one name the newer one is live: the other was on its way to the trash. */
function checkNames(scratch: Scratch, lose: (key: RecordKey, why: string) => void): void {
  for (const page of scratch.pages('project')) {
    for (const { owner, state } of page) {
      const { name, alias } = parseState('project', state)
      if (!isProjectName(name)) {
        lose({ kind: 'project', owner, name: '' }, 'its name is none')
        continue
      }
      const former = scratch.takeName('project', name, owner)
      if (former !== undefined) loseFormer('project', former)
      if (alias !== null) scratch.takeName('project', `alias ${alias}`, owner)
    }
  }
  for (const page of scratch.pages('repository')) {
    for (const { owner, state } of page) {
      const { project, name } = parseState('repository', state)
      if (!scratch.find({ kind: 'project', owner: project, name: '' })) {
        lose({ kind: 'repository', owner, name: '' }, 'its project is not there')
        continue
      }
      if (!isRepositoryPath(name)) {
        lose({ kind: 'repository', owner, name: '' }, 'its name is none')
        continue
      }
      const former = scratch.takeName('repository', `${project} ${name}`, owner)
      if (former !== undefined) loseFormer('repository', former)
    }
  }

  function loseFormer(kind: 'project' | 'repository', owner: number): void {
    lose({ kind, owner, name: '' }, 'a newer one has its name')
  }
}

/** As people know it. */
function describe(scratch: Scratch, { kind, owner, name }: RecordKey): string {
  if (kind === 'project') return `project ${projectName(scratch, owner)}`
  const state = scratch.find({ kind: 'repository', owner, name: '' })
  const repository = state && parseState('repository', state)
  const full = repository
    ? `${projectName(scratch, repository.project)}/${repository.name}`
    : `number ${owner}`
  if (kind === 'repository') return `repository ${full}`
  return kind === 'tag' ? `tag ${full}:${name}` : `${kind} ${full}@${name}`
}

function projectName(scratch: Scratch, id: number): string {
  const state = scratch.find({ kind: 'project', owner: id, name: '' })
  return state ? parseState('project', state).name : `number ${id}`
}

function missingBlob(scratch: Scratch, owner: number, parsed: ParsedManifest): string | undefined {
  if (parsed.kind === 'index') return undefined
  return parsed.edges
    .filter((edge) => !mayBeAbsent(edge))
    .map((edge) => edge.descriptor.digest)
    .filter((digest) => parseDigest(digest) !== undefined)
    .find((digest) => !scratch.find({ kind: 'blob', owner, name: digest }))
}

function parseSafely(bytes: Uint8Array, mediaType: string): ParsedManifest | undefined {
  try {
    return parseManifest(bytes, mediaType)
  } catch {
    return undefined
  }
}

function isOf(bytes: Uint8Array, { sha256, size }: ContentState): boolean {
  return bytes.length === size && Bun.CryptoHasher.hash('sha256', bytes, 'hex') === sha256
}

function hashOf(bytes: Uint8Array, digest: Digest): Digest {
  const algorithm = algorithmOf(digest)
  return toDigest(algorithm, Bun.CryptoHasher.hash(algorithm, bytes, 'hex'))
}

/** Both digests of stored bytes; none when they cannot be read. */
async function hashStored(store: BlobStore, key: string, size: number): Promise<string> {
  const stream = await store.stream(key, size)
  if (!stream) return 'unreadable'
  const sha256 = new Bun.CryptoHasher('sha256')
  const sha512 = new Bun.CryptoHasher('sha512')
  for await (const chunk of stream) {
    sha256.update(chunk)
    sha512.update(chunk)
  }
  return `${toDigest('sha256', sha256.digest('hex'))} ${toDigest('sha512', sha512.digest('hex'))}`
}
