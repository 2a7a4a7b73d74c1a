import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endWithThisProcess } from './end-with-this-process.ts'
import { projectRoot, waitFor } from './server.ts'

/** A Docker engine of the tests' own, with nothing in it, gone with this process. */
export type DockerEngine = {
  /** What makes a docker client speak to it, and keep its settings there. */
  readonly env: Readonly<Record<string, string>>
  /** A folder of the engine's own that goes with it. */
  readonly folder: string
  /** Runs `docker` with these arguments; resolves to its standard output, throws when it fails. */
  readonly docker: (...args: readonly string[]) => Promise<string>
}

export type Outcome = {
  readonly exitCode: number
  readonly stdout: string
  /** Both outputs. */
  readonly all: string
}

/** What stands in the environment would go before what stands in `deploy/.env`. */
const bareEnvironment = { PATH: process.env.PATH ?? '', HOME: tmpdir(), TMPDIR: tmpdir() }

/** Runs a program to its end, at most four minutes, with none of the settings of who runs the tests. */
export const runProgram = async (
  command: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Outcome> => {
  const child = Bun.spawn([...command], {
    cwd: options.cwd ?? tmpdir(),
    env: { ...bareEnvironment, ...options.env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: 240_000,
  })
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { exitCode: await child.exited, stdout: stdout.trim(), all: stdout + stderr }
}

/** As `runProgram`; resolves to the standard output, throws with all output when it fails. */
export const mustRun = async (...args: Parameters<typeof runProgram>): Promise<string> => {
  const { exitCode, stdout, all } = await runProgram(...args)
  if (exitCode !== 0) throw new Error(`${args[0].join(' ')}\nended with ${exitCode}:\n${all}`)
  return stdout
}

/** Whether an engine answers that somebody else runs. */
const othersEngine = (): boolean => {
  if (!Bun.which('docker')) return false
  const info = Bun.spawnSync(['docker', 'info', '--format', '{{.ServerVersion}}'], {
    stdout: 'pipe',
    stderr: 'ignore',
    timeout: 20_000,
  })
  return info.exitCode === 0 && info.stdout.toString().trim() !== ''
}

/**
 * Removes what the engine runs and made, ends it, then what it left, should it be dead already: its own
 * processes, which name its folder (`$1`), those whose root lies there, bridges, mounts, the folder.
 */
const END = `
export DOCKER_HOST="unix://$1/sock" DOCKER_CONFIG="$1/config"
timeout 60 docker ps -aq | xargs -r timeout 60 docker rm -f -v
timeout 30 docker network prune -f
pid="$(cat "$1/pid")"
kill -TERM "$pid"
tries=0
while kill -0 "$pid" && [ "$tries" -lt 150 ]; do sleep 0.2; tries=$((tries + 1)); done
for found in /proc/[0-9]*; do
  case "$(readlink "$found/exe")" in
    */dockerd | */containerd | */containerd-shim* | */runc | */docker-proxy)
      tr '\\0' '\\n' <"$found/cmdline" | grep -qF "$1" && kill -KILL "\${found#/proc/}" ;;
  esac
done
for found in /proc/[0-9]*; do
  awk -v place="$1/" '$5 == "/" && index($0, place) { found = 1 } END { exit !found }' \
    "$found/mountinfo" && kill -KILL "\${found#/proc/}"
done
grep -aoE 'br-[0-9a-f]{12}' "$1/data/network/files/local-kv.db" | sort -u |
  xargs -r -n 1 ip link delete
grep -F " $1/" /proc/mounts | cut -d ' ' -f 2 | sort -r | xargs -r -n 1 umount -l
sleep 0.5
rm -rf "$1"
`

const launch = async (): Promise<DockerEngine | string> => {
  if (process.platform !== 'linux') return 'Linux'
  if (process.getuid?.() !== 0) return 'the rights of root'
  const programs = ['docker', 'dockerd', 'containerd', 'runc', 'busybox', 'tar']
  const missing = programs.filter((name) => !Bun.which(name))
  if (missing.length > 0) return missing.join(', ')

  const folder = mkdtempSync(join(tmpdir(), 'entrepot-docker-'))
  mkdirSync(join(folder, 'config'))
  const settings = {
    hosts: [`unix://${folder}/sock`],
    pidfile: join(folder, 'pid'),
    'data-root': join(folder, 'data'),
    'exec-root': join(folder, 'exec'),
    // The network of this machine stays as it is: no rules, no forwarding, no docker0. Networks that
    // containers share are bridges nevertheless, and docker-proxy publishes their ports.
    bridge: 'none',
    iptables: false,
    ip6tables: false,
    'ip-forward': false,
    // The engine takes what leads nowhere on this machine.
    'default-address-pools': ['10.223.0.0/16', '172.24.0.0/14', '192.168.192.0/18'].map((base) => ({
      base,
      size: 24,
    })),
  }
  const settingsFile = join(folder, 'daemon.json')
  writeFileSync(settingsFile, JSON.stringify(settings))
  const log = join(folder, 'log')
  const child = Bun.spawn(['dockerd', '--config-file', settingsFile], {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: Bun.file(log),
  })
  // The tests are done when this process wants to end, whatever the engine thinks.
  child.unref()
  endWithThisProcess(END, folder)

  const env = { DOCKER_HOST: `unix://${folder}/sock`, DOCKER_CONFIG: join(folder, 'config') }
  const docker = (...args: readonly string[]) => mustRun(['docker', ...args], { env })
  try {
    await waitFor(
      'the Docker engine to answer',
      async () => {
        if (child.exitCode !== null) throw new Error(`dockerd ended with ${child.exitCode}`)
        return (await runProgram(['docker', 'version'], { env })).exitCode === 0
      },
      90_000,
    )
    await tryContainer(docker, folder)
    return { env, folder, docker }
  } catch (error) {
    console.warn(error instanceof Error ? error.message : error)
    const lines = (await Bun.file(log).text()).trimEnd().split('\n')
    console.warn(lines.slice(-10).join('\n'))
    return 'a Docker engine that works here'
  }
}

/** Namespaces, control groups and networks are not to be had everywhere, also where there is root. */
const tryContainer = async (docker: DockerEngine['docker'], folder: string): Promise<void> => {
  const rootFs = join(folder, 'try')
  mkdirSync(rootFs)
  await mustRun(['cp', '/bin/busybox', rootFs])
  const archive = join(folder, 'try.tar')
  await mustRun(['tar', '-C', rootFs, '-cf', archive, '.'])
  await docker('import', archive, 'try')
  await docker('network', 'create', 'try')
  await docker(
    ...['run', '--rm', '--network', 'try', '--read-only', '--cap-drop', 'ALL', '-v', '/data'],
    ...['try', '/busybox', 'wget', '--help'],
  )
  await docker('network', 'rm', 'try')
  await docker('rmi', 'try')
}

/**
 * A port for a container to be published on, free now and still so in a minute: connections take theirs
 * from 32768 on.
 */
export const portToPublish = (): number => {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    try {
      Bun.listen({ hostname: '127.0.0.1', port, socket: { data() {} } }).stop(true)
      return port
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error
    }
  }
}

let own: Promise<DockerEngine | string> | undefined

/** One engine for the whole process; a string says what it would need to run here. */
export const startDockerEngine = (): Promise<DockerEngine | string> => {
  own ??= launch()
  return own
}

/**
 * What makes a docker client speak to an engine: nothing where one answers already, else one of our
 * own is started. A string says what is missing.
 */
export const anyDockerEngine = async (): Promise<Readonly<Record<string, string>> | string> => {
  if (othersEngine()) return {}
  const engine = await startDockerEngine()
  return typeof engine === 'string' ? engine : { DOCKER_HOST: engine.env.DOCKER_HOST ?? '' }
}

/** The program behind `docker compose`: from .ci/install-tools, or installed as Docker's plugin. */
export const findCompose = (): string | undefined =>
  [
    join(projectRoot, '.tools/bin/docker-compose'),
    '/usr/libexec/docker/cli-plugins/docker-compose',
    '/usr/lib/docker/cli-plugins/docker-compose',
  ].find((program) => existsSync(program))

/** A docker command line that builds with BuildKit: newer ones need a plugin for it. */
export const findBuilder = (): string | undefined =>
  [Bun.which('docker'), '/usr/bin/docker'].find((program): program is string => {
    if (!program || !Bun.which(program)) return false
    const help = Bun.spawnSync([program, 'build', '--help'], {
      env: { ...process.env, DOCKER_BUILDKIT: '1' },
      stdout: 'ignore',
      stderr: 'ignore',
    })
    return help.exitCode === 0
  })
