/** Parameters in which PostgreSQL's own clients take a secret. */
const SECRET_PARAMETERS = ['password', 'sslpassword']
const HIDDEN = 'PASSWORD'

/** The address of a database as it may stand on a screen; undefined: nobody knows what is in it. */
export function shownUrl(text: string): string | undefined {
  const url = URL.parse(text)
  if (!url) return undefined
  if (url.password !== '') url.password = HIDDEN
  for (const name of [...url.searchParams.keys()]) {
    if (SECRET_PARAMETERS.includes(name.toLowerCase())) url.searchParams.set(name, HIDDEN)
  }
  return url.href
}
