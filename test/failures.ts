/** A test that failed, or a file that could not be run to its end. */
export type Failure = {
  readonly file: string
  readonly name: string
  /** What Bun said of it. */
  readonly text: string
}

/** The name of a failure that belongs to a file and to no test of it. */
export const NO_TEST = 'an error between tests'

const TEXT_LINES = 80

/**
 * The failures in what `bun test` wrote to its standard error: below the name of each file, what a
 * test has to say comes before the line with its result.
 */
export const failuresIn = (output: string): Failure[] => {
  const failures: Failure[] = []
  let file = ''
  let said: string[] = []
  for (const line of output.split('\n')) {
    // With many results Bun lists those that did not pass once more at the end.
    if (/^\d+ tests? (failed|skipped|todo):$/.test(line)) break
    const header = /^(\S+\.test\.tsx?):$/.exec(line)?.[1]
    const [, result, title] = /^\((pass|fail|skip|todo)\) (.*)$/.exec(line) ?? []
    if (header === undefined && result === undefined) {
      said.push(line)
      if (/^# Unhandled error between tests$/.test(line)) {
        failures.push({ file, name: NO_TEST, text: '' })
      }
      continue
    }
    const text = said.slice(-TEXT_LINES).join('\n').trim()
    said = []
    if (result === 'fail') {
      failures.push({ file, name: (title ?? '').replace(/ \[[\d.]+ms\]$/, ''), text })
    }
    if (header !== undefined) file = header
  }
  return failures
}

/** The names of the tests that passed. */
export const passesIn = (output: string): Set<string> =>
  new Set(
    [...output.matchAll(/^\(pass\) (.*?)(?: \[[\d.]+ms\])?$/gm)].map(([, name]) => name ?? ''),
  )

/** False: Bun itself died, and what came after the file where it did was never run. */
export const ranToTheEnd = (output: string): boolean =>
  /^Ran \d+ tests? across \d+ files?\./m.test(output)
