import { type Command, InvalidArgumentError, Option } from 'commander'
import { PURPOSES } from '../hub/use/handout-types.ts'

/** Runs a verb; what is wrong is told as a sentence. */
type Report = (run: () => Promise<void>) => Promise<void>

/** `use` and `trust`: what pipelines and their machines ask a running server for. */
export function addUseVerbs(program: Command, report: Report): void {
  const asks = 'asks the server of ENTREPOT_URL with ENTREPOT_TOKEN'

  program
    .command('use')
    .description(`print what a pipeline needs to use a registry; ${asks}`)
    .argument('<project>', 'the project that uses it')
    .argument('[image]', 'name of the image, such as app or app:1.2')
    .option(
      '--registry <registry>',
      'id or name, or self for Entrepot itself (default: the default)',
    )
    .addOption(
      new Option('--purpose <purpose>', 'what it is for').choices(PURPOSES).default('build'),
    )
    .option('--environment <name>', 'environment or cluster that uses it')
    .option(
      '--format <format>',
      'env, json, docker-config, login, k8s, cron-job, kubelet-config or kubelet',
      'env',
    )
    .option('--branch <name>', 'branch that is built')
    .option('--git-tag <name>', 'git tag that is built')
    .option('--pr <number>', 'pull request that is built; may be given again', collect)
    .option('--task <id>', 'id of the run of the pipeline')
    .option('--commit <hash>', 'commit that is built')
    .option('--service <name>', 'service that the image is of')
    .option(
      '--rule-branch <template>',
      'name:tag of a branch, such as {{.IMAGE_NAME}}:{{.TASK_ID}}',
    )
    .option('--rule-tag <template>', 'name:tag of a git tag')
    .option('--rule-pr <template>', 'name:tag of pull requests')
    .option('--rule-pr-and-branch <template>', 'name:tag of a branch with pull requests')
    .option('--namespace <name>', 'namespace of Kubernetes for the manifests')
    .option('--secret-name <name>', 'name of the Kubernetes Secret')
    .action(async (project: string, image: string | undefined, given: UseFlags) => {
      const { createApiClient } = await import('./api-client.ts')
      const { use } = await import('./use.ts')
      const { registry, purpose, environment, format, pr } = given
      await report(async () => {
        const text = await use(createApiClient(), {
          project,
          image,
          registry,
          purpose,
          environment,
          format,
          build: {
            service: given.service,
            taskId: given.task,
            branch: given.branch,
            gitTag: given.gitTag,
            pullRequests: pr,
            commit: given.commit,
          },
          rules: {
            branch: given.ruleBranch,
            tag: given.ruleTag,
            pr: given.rulePr,
            prAndBranch: given.rulePrAndBranch,
          },
          kubernetes: { namespace: given.namespace, secretName: given.secretName },
        })
        process.stdout.write(text)
      })
    })

  program
    .command('trust')
    .description(`print what clients must be told to trust registries; ${asks}`)
    .argument('[registry]', 'id of the registry (default: all)')
    .option('--client <client>', 'docker, containerd, podman or buildkit (default: all)')
    .option('--format <format>', 'text or json', 'text')
    .action(async (registry: string | undefined, given: { client?: string; format: string }) => {
      const { createApiClient } = await import('./api-client.ts')
      const { trust } = await import('./trust.ts')
      await report(async () => {
        process.stdout.write(await trust(createApiClient(), { registry, ...given }))
      })
    })
}

/** As commander collects them. */
interface UseFlags {
  registry?: string
  purpose: string
  environment?: string
  format: string
  branch?: string
  gitTag?: string
  pr?: number[]
  task?: string
  commit?: string
  service?: string
  ruleBranch?: string
  ruleTag?: string
  rulePr?: string
  rulePrAndBranch?: string
  namespace?: string
  secretName?: string
}

function collect(value: string, before: number[] = []): number[] {
  if (!/^\d{1,12}$/.test(value)) throw new InvalidArgumentError('It is the number of a request.')
  return [...before, Number(value)]
}
