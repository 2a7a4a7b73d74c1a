import type { Purpose } from '../../api/hub.ts'

export interface UseAsked {
  /** `https://registry.example.com`. */
  origin: string
  project: string
  registry: string
  purpose: Purpose
  environment: string
  image: string
}

/** What stands in a step of a pipeline: it fetches the means anew each time, so keys may change. */
export function pipelineSnippet(asked: UseAsked): string {
  const { origin, project, registry, purpose, environment, image } = asked
  const words = [
    'entrepot use',
    quoted(project),
    ...(image ? [quoted(image)] : []),
    `--registry ${quoted(registry)}`,
    ...(purpose === 'build' ? [] : [`--purpose ${purpose}`]),
    ...(environment ? [`--environment ${quoted(environment)}`] : []),
  ]
  const isBuild = purpose === 'build'
  return [
    `export ENTREPOT_URL=${origin}`,
    `export ENTREPOT_TOKEN='${project}+ci:…'`,
    '',
    `eval "$(${words.join(' ')})"`,
    'printf %s "$DOCKER_REGISTRY_SK" |',
    '  docker login -u "$DOCKER_REGISTRY_AK" --password-stdin "$DOCKER_REGISTRY_HOST"',
    ...(isBuild && image ? ['docker build -t "$IMAGE" . && docker push "$IMAGE"'] : []),
  ].join('\n')
}

/** The same with what every machine has. */
export function curlSnippet(asked: UseAsked): string {
  return [
    ...request(asked, 'handouts'),
    `  -d ${quoted(JSON.stringify(bodyOf(asked)))} |`,
    '  jq -r .shell.env',
  ].join('\n')
}

/** Keeps the Secret that a cluster pulls with. */
export function clusterSnippet(asked: UseAsked): string {
  const body = { ...bodyOf({ ...asked, image: '' }), purpose: 'deploy' }
  return [
    ...request(asked, 'handouts/pull-secret'),
    `  -d ${quoted(JSON.stringify(body))} |`,
    '  kubectl apply -f -',
  ].join('\n')
}

/** The secret is in the arguments of no process, which others could list. */
const request = ({ origin, project }: UseAsked, path: string): string[] => [
  'printf \'user = "%s"\' "$ENTREPOT_TOKEN" |',
  "  curl -fsS -K - -H 'Content-Type: application/json' \\",
  `  ${origin}/api/v1/projects/${project}/${path} \\`,
]

export function bodyOf({ registry, purpose, environment, image }: UseAsked) {
  return {
    registry,
    purpose,
    ...(environment ? { environment } : {}),
    ...(image ? { image } : {}),
  }
}

/** For a POSIX shell; plain words stay as they are. */
function quoted(text: string): string {
  return /^[\w./:@+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
