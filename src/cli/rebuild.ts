import { rebuildInstallation } from '../app/rebuild.ts'
import type { Config } from '../lib/config.ts'
import { formatBytes } from '../lib/format.ts'

export interface RebuildVerbOptions {
  dryRun: boolean
  verify: boolean
  partial: boolean
  journal?: string | undefined
}

const DONE: Record<string, string> = {
  journal: 'the journal is read',
  store: 'the names of all stored bytes are read',
  blobs: 'the blobs are checked',
  manifests: 'the manifests are checked',
  tags: 'the tags are checked',
  manifest: 'the manifests are written',
  tag: 'the tags are written',
}

/** Prints what came back and what could not; the exit code is 1 when anything could not. */
export async function rebuild(config: Config, options: RebuildVerbOptions): Promise<void> {
  const { dryRun, verify: deep, partial, journal: lineage } = options
  const print = (line: string) => process.stdout.write(`${line}\n`)
  const { lastAt, counts, damage, lost, unnamed, ...report } = await rebuildInstallation(
    config,
    { dryRun, deep, partial, lineage },
    {
      onLost: (sentence) => print(`LOST  ${sentence}`),
      onProgress(part) {
        const done = DONE[part]
        if (done) process.stderr.write(`${done}\n`)
      },
    },
  )
  for (const sentence of damage) print(`DAMAGED  ${sentence}`)
  for (const key of unnamed.keys) print(`UNNAMED  stored bytes ${key}`)
  if (unnamed.count > 0) {
    print(
      `${unnamed.count} stored blobs (${formatBytes(unnamed.bytes)}) stand in no record of the ` +
        'journal: what was in the trash, uploads, and pushes of the last seconds. They are removed ' +
        'a day after they were written',
    )
  }
  print(`journal ${report.lineage}, last written ${new Date(lastAt).toISOString()}`)
  const { project, repository, blob, manifest, tag } = counts
  print(
    `${dryRun ? 'would bring back' : 'brought back'} ${project} projects, ${repository} ` +
      `repositories, ${manifest} manifests, ${tag} tags, ${blob} blobs`,
  )
  if (lost > 0) print(`${lost} could not be brought back`)
  if (!dryRun) print('accounts, members, tokens and registries of others were not in the journal')
  if (lost > 0 || damage.length > 0) process.exitCode = 1
}
