/** One entry of `WWW-Authenticate` (RFC 9110 section 11.6.1). */
export interface Challenge {
  /** In lower case. */
  scheme: string
  /** Names in lower case. */
  parameters: Record<string, string>
}

const TOKEN = /[!#$%&'*+.^_`|~\w-]+/y
const TOKEN68 = /[\w.~+/-]+=*(?=\s*(?:,|$))/y
const EQUALS = /\s*=\s*/y
const QUOTED = /"((?:[^"\\]|\\.)*)"?/y
/** Not only tokens: some servers leave out the quotes around addresses. */
const UNQUOTED = /[^\s,]*/y
const SEPARATORS = /[\s,]+/y

/**
 * Every challenge of a `WWW-Authenticate` header, also where several were joined by commas.
 * Quoted values with commas, any order, unquoted addresses; what cannot be read is passed over.
 */
export function parseChallenges(header: string | null): Challenge[] {
  const text = header ?? ''
  const challenges: Challenge[] = []
  let at = 0

  function take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match) at = pattern.lastIndex
    return match
  }

  while (at < text.length) {
    take(SEPARATORS)
    const [name] = take(TOKEN) ?? []
    if (name === undefined) {
      at++
      continue
    }
    const current = challenges.at(-1)
    if (current && take(EQUALS)) {
      const quoted = take(QUOTED)
      const value = quoted ? (quoted[1] ?? '').replaceAll(/\\(.)/g, '$1') : take(UNQUOTED)?.[0]
      current.parameters[name.toLowerCase()] ??= value ?? ''
    } else {
      challenges.push({ scheme: name.toLowerCase(), parameters: {} })
      take(SEPARATORS)
      take(TOKEN68)
    }
  }
  return challenges
}

/** The one to answer: Bearer where it says from where the token comes, else Basic. */
export function chooseChallenge(challenges: readonly Challenge[]): Challenge | undefined {
  const bearer = challenges.find(
    ({ scheme, parameters }) => scheme === 'bearer' && parameters.realm,
  )
  return bearer ?? challenges.find(({ scheme }) => scheme === 'basic')
}
