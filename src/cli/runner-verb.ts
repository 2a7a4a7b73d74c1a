import type { Command } from 'commander'

/** Runs a verb; what is wrong is told as a sentence. */
type Report = (run: () => Promise<void>) => Promise<void>

/** `runner`: does for a server what it cannot do itself, near a registry that it cannot reach. */
export function addRunnerVerb(program: Command, report: Report): void {
  program
    .command('runner')
    .description('speak to registries near this machine for a server that cannot reach them')
    .requiredOption('--hub <url>', 'address of the server')
    .option('--token-file <file>', 'file with the enrolment token, needed for the first start')
    .option('--data <folder>', 'folder for its key and credential', './runner')
    .option('--ca-file <file>', 'certificates (PEM) by which alone the server is trusted')
    .option('--registry <host:port>', 'speak to no registry but this; may be given again', collect)
    .option(
      '--allow-network <range>',
      'addresses that may be spoken to whatever they are, such as 127.0.0.0/8; may be given again',
      collect,
    )
    .option('--at-once <number>', 'tasks at once, 1 to 16', '4')
    .option('--log-format <format>', 'json or pretty (default: by whether this is a terminal)')
    .action(async (given: RunnerFlags) => {
      const { runner } = await import('./runner.ts')
      await report(() => runner(given))
      process.exit(0)
    })
}

/** As commander collects them. */
export interface RunnerFlags {
  hub: string
  tokenFile?: string
  data: string
  caFile?: string
  registry?: string[]
  allowNetwork?: string[]
  atOnce: string
  logFormat?: string
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}
