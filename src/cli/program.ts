import { Command, InvalidArgumentError, Option } from 'commander'
import { type LoadedConfig, loadConfig } from '../lib/config.ts'
import { SETTINGS } from '../lib/config-schema.ts'
import { versionLine } from '../lib/version.ts'
import { addCopyVerb } from './copy-verb.ts'
import type { MigrateOptions } from './migrate.ts'
import type { RebuildVerbOptions } from './rebuild.ts'
import { EXIT_USAGE, report } from './report.ts'
import { addRunnerVerb } from './runner-verb.ts'
import { addUseVerbs } from './use-verbs.ts'
import { addUserVerbs } from './user-verbs.ts'

export interface ProgramDeps {
  /** Runs the registry, or tells the supervisor that wants to what its settings are. */
  serve(settings: LoadedConfig): Promise<void>
}

/** The command line. Each verb loads its own code, so that the small ones start at once. */
export function createProgram({ serve }: ProgramDeps): Command {
  const program = new Command('entrepot')
    .description('A container registry, and a hub for all others.')
    .version(versionLine(), '-V, --version', 'print the version and the commit')
    .helpOption('-h, --help', 'print this')
    .showHelpAfterError('(entrepot --help lists what there is)')
    .configureOutput({ outputError: (text, write) => write(`entrepot: ${text}`) })
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE))

  withSettings(program.command('serve'))
    .description('run the registry')
    .action((_, verb: Command) => report(() => serve(settingsOf(verb))))

  const config = program.command('config').description('look at the settings')
  withSettings(config.command('check'))
    .description('report every problem in the settings')
    .action(async (_, verb: Command) => {
      const { checkConfig } = await import('./config.ts')
      await report(() => checkConfig(settingsOf(verb)))
    })
  withSettings(config.command('print'))
    .description('print the settings in effect and where they came from, without the secrets')
    .action(async (_, verb: Command) => {
      const { printSettings } = await import('./config.ts')
      await report(() => printSettings(settingsOf(verb)))
    })
  config
    .command('docs')
    .description('print the reference of all settings (Markdown)')
    .action(async () => (await import('./config.ts')).printReference())

  withSettings(program.command('verify'))
    .description('look for content, manifests and sums that are wrong; a running server may go on')
    .option('--deep', 'also read every blob and compare its digest', false)
    .action(async (_, verb: Command) => {
      const { verify } = await import('./verify.ts')
      await report(() => verify(settingsOf(verb).config, { deep: verb.opts().deep === true }))
    })

  withSettings(program.command('migrate'))
    .description('move an installation that is stopped to another database or storage')
    .option('--to-database <url>', 'postgres://user:password@host:port/database, or sqlite')
    .option('--to-storage <place>', 's3://bucket/prefix, or file')
    .option('--dry-run', 'only tell how much there is to move and about how long it takes', false)
    .addOption(
      new Option('--parallel <count>', 'blobs to copy at once').default(4).argParser(parseParallel),
    )
    .option('--start-over', 'copy all rows again: the former database has changed since', false)
    .option('--leave-damaged', 'finish without blobs that are damaged where they are', false)
    .action(async (_, verb: Command) => {
      const { migrate } = await import('./migrate.ts')
      await report(() => migrate(settingsOf(verb), verb.opts<MigrateOptions>()))
    })

  withSettings(program.command('rebuild'))
    .description('make a lost database anew, out of the journal in the storage')
    .option('--dry-run', 'only tell what would come back; a running server may go on', false)
    .option('--verify', 'also read every blob and compare its digest', false)
    .option('--partial', 'bring back what can be read of a damaged journal', false)
    .option('--journal <id>', 'which journal, where the storage has several')
    .action(async (_, verb: Command) => {
      const { rebuild } = await import('./rebuild.ts')
      await report(() => rebuild(settingsOf(verb).config, verb.opts<RebuildVerbOptions>()))
    })

  withSettings(program.command('health'))
    .description('ask the registry that runs here with these settings whether it is ready')
    .action(async (_, verb: Command) => {
      const { checkHealth } = await import('./health.ts')
      await report(() => checkHealth(settingsOf(verb).config))
    })

  addUserVerbs(program, { withSettings, settingsOf, report })
  addUseVerbs(program, report)
  addCopyVerb(program, report)
  addRunnerVerb(program, report)

  program
    .command('version')
    .description('print the version and the commit')
    .action(() => {
      process.stdout.write(`${versionLine()}\n`)
    })

  return program
}

/** The flags that stand for settings. */
function withSettings(verb: Command): Command {
  verb.option('--config <file>', 'file with settings (YAML)')
  for (const { option } of flags()) verb.addOption(option)
  return verb
}

function settingsOf(verb: Command): LoadedConfig {
  const given = verb.opts<Record<string, string | boolean | undefined>>()
  const byKey = flags().map(({ key, option }) => [key, given[option.attributeName()]])
  const file = typeof given.config === 'string' ? given.config : undefined
  return loadConfig({ flags: Object.fromEntries(byKey), file })
}

function flags(): { key: string; option: Option }[] {
  return SETTINGS.flatMap(({ key, meta }) =>
    meta.flag ? [{ key, option: new Option(meta.flag, inShort(meta.description)) }] : [],
  )
}

function parseParallel(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1 && count <= 64) return count
  throw new InvalidArgumentError('It must be a whole number from 1 to 64.')
}

/** The first sentence of a description, without its Markdown. */
function inShort(description: string): string {
  return (description.split(/\.\s/)[0] ?? '').replaceAll('`', '').replace(/\.$/, '')
}
