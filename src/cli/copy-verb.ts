import type { Command } from 'commander'

/** Runs a verb; what is wrong is told as a sentence. */
type Report = (run: () => Promise<void>) => Promise<void>

/** `copy`: asks a running server to copy an image between registries. */
export function addCopyVerb(program: Command, report: Report): void {
  program
    .command('copy')
    .description(
      'copy an image from one registry to another; asks the server of ENTREPOT_URL with ENTREPOT_TOKEN',
    )
    .argument('<source>', 'payments/api:1.4 of Entrepot itself, harbor://team/api:1.4 of another')
    .argument(
      '<target>',
      'the same, or harbor:// for its namespace and the name and tag as they are',
    )
    .option(
      '--project <project>',
      'project whose registries are meant (default: that of the image)',
    )
    .option('--all-platforms', 'the whole index, byte for byte (the default)')
    .option(
      '--platform <platform>',
      'only this one, such as linux/arm64; may be given again',
      collect,
    )
    .option(
      '--rewrite-index',
      'with --platform: an index of these alone, with another digest',
      false,
    )
    .option('--referrers', 'signatures, attestations and SBOMs too (the default)')
    .option('--no-referrers', 'nothing but the image')
    .option('--no-overwrite', 'fail when the tag is there with another digest')
    .option('--wait', 'show how far it is, until it ends', false)
    .action(async (source: string, target: string, given: CopyFlags, verb: Command) => {
      if (given.allPlatforms && given.platform) {
        verb.error('--all-platforms and --platform exclude each other')
      }
      const { createApiClient } = await import('./api-client.ts')
      const { copy } = await import('./copy.ts')
      await report(async () => {
        const options = {
          source,
          target,
          project: given.project,
          platforms: given.platform,
          rewriteIndex: given.rewriteIndex,
          referrers: given.referrers,
          overwrite: given.overwrite,
          wait: given.wait,
        }
        const text = await copy(createApiClient(), options, {
          write: (line) => process.stderr.write(line),
          isTerminal: process.stderr.isTTY === true,
        })
        process.stdout.write(text)
      })
    })
}

/** As commander collects them. */
interface CopyFlags {
  project?: string
  allPlatforms?: boolean
  platform?: string[]
  rewriteIndex: boolean
  referrers: boolean
  overwrite: boolean
  wait: boolean
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}
