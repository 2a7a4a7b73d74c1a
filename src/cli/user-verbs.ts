import type { Command } from 'commander'
import type { LoadedConfig } from '../lib/config.ts'

interface VerbDeps {
  /** Adds the flags that stand for settings. */
  withSettings(verb: Command): Command
  settingsOf(verb: Command): LoadedConfig
  /** Runs a verb; what is wrong is told as a sentence. */
  report(run: () => Promise<void>): Promise<void>
}

/** `user`: what can be done about users without signing in, by who has the machine. */
export function addUserVerbs(program: Command, { withSettings, settingsOf, report }: VerbDeps) {
  const user = program.command('user').description('users, for who has this machine')
  withSettings(user.command('reset-password'))
    .description(
      'give a user another password and print it once; a running server may go on. Ends the ' +
        "user's sessions, tokens and access keys",
    )
    .argument('<name>', 'name of the user, such as admin')
    .option('--password-stdin', 'take the new password from the standard input', false)
    .option('--keep-tokens', 'leave API tokens and access keys as they are', false)
    .action(async (name: string, given: ResetFlags, verb: Command) => {
      const { resetPasswordOf } = await import('./reset-password.ts')
      await report(() => resetPasswordOf(settingsOf(verb).config, { name, ...given }))
    })
}

/** As commander collects them. */
interface ResetFlags {
  passwordStdin: boolean
  keepTokens: boolean
}
