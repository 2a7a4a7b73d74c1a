import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROGRAM } from '../build/program.ts'
import type { Endpoint } from './http.ts'

const root = join(import.meta.dir, '..')

/** The server that copies, and the registries between which is copied. */
export type Places = { entrepot: Endpoint; from: Endpoint; to: Endpoint }

/** Something that copies a whole index; `image` with its tag, which it keeps. */
export type CopyTool = {
  name: string
  /** @returns CPU seconds of the command itself */
  copy(image: string, repository: string): Promise<number>
}

/** `entrepot copy` first, then those that are on this machine. One of the ends may be Entrepot. */
export async function copyTools(places: Places, dir: string): Promise<CopyTool[]> {
  const { entrepot, from, to } = places
  const hostOf = ({ host, port }: Endpoint) => `${host}:${port}`
  const [source, target] = [hostOf(from), hostOf(to)]
  const url = `http://${hostOf(entrepot)}`
  const login = `${entrepot.user}:${entrepot.password}`
  const env = { ENTREPOT_URL: url, ENTREPOT_TOKEN: login }
  const bun = [join(root, 'node_modules/.bin/bun'), PROGRAM]
  // A home of its own each time: skopeo remembers where a blob was and mounts it from there.
  const run = (command: string[], own: Record<string, string> = {}) => {
    const home = mkdtempSync(join(dir, 'home-'))
    logIn(home, [from, to])
    return spawn(command, { dir, home, own })
  }

  await ask(url, login, '/projects', { name: 'bench' })
  for (const [name, end] of Object.entries({ source: from, target: to })) {
    if (end === entrepot) continue
    const address = hostOf(end)
    await ask(url, login, '/registries', {
      name,
      provider: 'native',
      address: `http://${address}`,
      projects: null,
    })
  }
  const tools: CopyTool[] = [
    {
      name: 'entrepot copy',
      copy: (image, repository) => {
        const [source, target] = [
          from === entrepot ? image : `source://${image}`,
          to === entrepot ? repository : `target://${repository}`,
        ]
        const options = ['--project', 'bench', '--no-referrers', '--wait']
        return run([...bun, 'copy', source, target, ...options], env)
      },
    },
  ]
  const programOf = (name: string) =>
    Bun.which(name, { PATH: `${join(root, '.tools/bin')}:${process.env.PATH}` })

  const skopeo = programOf('skopeo')
  if (skopeo) {
    const open = ['--src-tls-verify=false', '--dest-tls-verify=false', '--insecure-policy']
    const copy = (image: string, repository: string) =>
      run([
        ...[skopeo, 'copy', '--all', '--quiet', ...open],
        ...[`docker://${source}/${image}`, `docker://${target}/${repository}:1`],
      ])
    tools.push({ name: 'skopeo copy --all', copy })
  }
  const crane = programOf('crane')
  if (crane) {
    const copy = (image: string, repository: string) =>
      run([crane, 'copy', '--insecure', `${source}/${image}`, `${target}/${repository}:1`])
    tools.push({ name: 'crane copy', copy })
  }
  const regctl = programOf('regctl')
  if (regctl) {
    const open = ['--host', `reg=${source},tls=disabled`, '--host', `reg=${target},tls=disabled`]
    const copy = (image: string, repository: string) =>
      run([regctl, ...open, 'image', 'copy', `${source}/${image}`, `${target}/${repository}:1`])
    tools.push({ name: 'regctl image copy', copy })
  }
  return tools
}

async function ask(url: string, login: string, path: string, body: object): Promise<void> {
  const authorization = `Basic ${Buffer.from(login).toString('base64')}`
  const headers = { authorization, 'content-type': 'application/json' }
  const options = { method: 'POST', headers, body: JSON.stringify(body) }
  const answer = await fetch(`${url}/api/v1${path}`, options)
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
}

/** Where all of them look for it. */
function logIn(home: string, ends: readonly Endpoint[]): void {
  const auths: Record<string, { auth: string }> = {}
  for (const { host, port, user, password } of ends) {
    if (user === null) continue
    auths[`${host}:${port}`] = { auth: Buffer.from(`${user}:${password}`).toString('base64') }
  }
  mkdirSync(join(home, '.docker'))
  writeFileSync(join(home, '.docker', 'config.json'), JSON.stringify({ auths }))
}

/** Every client keeps what it keeps below `dir`. @returns its CPU seconds */
async function spawn(
  command: string[],
  { dir, home, own }: { dir: string; home: string; own: Record<string, string> },
): Promise<number> {
  const child = Bun.spawn(command, {
    cwd: dir,
    env: { PATH: process.env.PATH ?? '', HOME: home, TMPDIR: dir, ...cacheIn(home), ...own },
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
  })
  const said = await new Response(child.stderr).text()
  if ((await child.exited) !== 0) throw new Error(`${command.slice(0, 2).join(' ')}: ${said}`)
  return Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6
}

/** skopeo of root keeps its cache in the system, unless it takes itself for somebody else's. */
function cacheIn(home: string): Record<string, string> {
  return { XDG_DATA_HOME: home, _CONTAINERS_ROOTLESS_UID: '1000' }
}
