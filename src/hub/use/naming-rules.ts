import { AppError } from '../../lib/errors.ts'
import { fitTag, replaceForTag, tagTimestamp } from './image-tag.ts'

/*
 * What a build calls its image: `name:tag` by what set it off. The default rules and the variables
 * are Zadig's, so that pipelines keep their names; unlike there a tag is never longer than clients
 * take.
 */

/** What a build knows of itself. */
export interface BuildFacts {
  /** Name of the image, without registry and namespace: `app`, `team/app`. */
  image: string
  /** Of the service; the image where not given. */
  service?: string | undefined
  project: string
  environment?: string | undefined
  taskId?: string | undefined
  /** Of git. */
  branch?: string | undefined
  gitTag?: string | undefined
  pullRequests?: readonly number[] | undefined
  commit?: string | undefined
  /** Epoch milliseconds. */
  at: number
}

export const NAMING_CASES = ['tag', 'branch', 'pr', 'prAndBranch'] as const
type NamingCase = (typeof NAMING_CASES)[number]

/** Templates in place of the default rules: `{{.IMAGE_NAME}}:{{.REPO_BRANCH}}-{{.TASK_ID}}`. */
export type NamingRules = { [C in NamingCase]?: string | undefined }

const VARIABLES = [
  'SERVICE',
  'IMAGE_NAME',
  'TIMESTAMP',
  'TASK_ID',
  'REPO_COMMIT_ID',
  'PROJECT',
  'ENV_NAME',
  'REPO_TAG',
  'REPO_BRANCH',
  'REPO_PR',
] as const
type Variable = (typeof VARIABLES)[number]

const PLACEHOLDER = /\{\{\s*\.([^{}]*?)\s*\}\}/g
/** What may stand beside the placeholders. */
const PLAIN_NAME = /^[a-z0-9._/-]*$/
const PLAIN_TAG = /^[A-Za-z0-9._-]*$/
const COMMIT_DIGITS = 8

/**
 * Name and tag for what is built; the tag is valid, the name is what the facts and the rule made.
 * @throws AppError invalid_input when the rule that applies is not right
 */
export function nameBuild(
  facts: BuildFacts,
  rules: NamingRules = {},
): { name: string; tag: string } {
  const trigger = triggerOf(facts)
  const rule = trigger && rules[trigger]
  if (rule !== undefined && trigger) return applyRule(facts, rule, trigger)
  return { name: facts.image, tag: fitTag(defaultTag(facts, trigger)) }
}

/** Refuses a rule that could never name an image; nothing is returned. */
export function checkRule(rule: string, field: string): void {
  parseRule(rule, field)
}

function triggerOf({ gitTag, branch, pullRequests = [] }: BuildFacts): NamingCase | undefined {
  if (gitTag) return 'tag'
  if (pullRequests.length > 0) return branch ? 'prAndBranch' : 'pr'
  return branch ? 'branch' : undefined
}

/** seed-systems 1.12: timestamp alone, or with the git tag, or with task, branch and requests. */
function defaultTag(facts: BuildFacts, trigger: NamingCase | undefined): string {
  const { taskId, branch, gitTag, pullRequests = [], at } = facts
  const timestamp = tagTimestamp(at)
  if (trigger === undefined) return timestamp
  const parts =
    trigger === 'tag'
      ? [gitTag]
      : [taskId, branch, pullRequests.length > 0 ? `pr-${pullRequests.join('-')}` : undefined]
  return [timestamp, ...parts.filter((part) => part).map((part) => replaceForTag(part ?? ''))].join(
    '-',
  )
}

function applyRule(facts: BuildFacts, rule: string, trigger: NamingCase) {
  const { name, tag } = parseRule(rule, `rules.${trigger}`)
  const values = valuesOf(facts)
  const filled = replaceForTag(fill(tag, values))
  if (filled === '') {
    throw wrong(`rules.${trigger}`, `"${rule}" makes an empty tag here: ${missingIn(tag, values)}`)
  }
  return { name: fill(name, values), tag: fitTag(filled) }
}

function parseRule(rule: string, field: string): { name: string; tag: string } {
  if (rule.trim() === '') throw wrong(field, 'is empty; leave it out for the default rule')
  for (const [whole, name = ''] of rule.matchAll(PLACEHOLDER)) {
    if (!(VARIABLES as readonly string[]).includes(name)) {
      const known = VARIABLES.map((variable) => `{{.${variable}}}`).join(' ')
      throw wrong(field, `${whole} is not known; there are ${known}`)
    }
  }
  const [name = '', tag, ...more] = rule.split(':')
  if (tag === undefined || more.length > 0) {
    throw wrong(field, `"${rule}" must have exactly one ":", between the name and the tag`)
  }
  if (name === '' || tag === '') throw wrong(field, `"${rule}" must have a name and a tag`)
  if (!PLAIN_NAME.test(name.replace(PLACEHOLDER, ''))) {
    throw wrong(field, `the name in "${rule}" may have only a-z, 0-9, ".", "_", "-" and "/"`)
  }
  if (!PLAIN_TAG.test(tag.replace(PLACEHOLDER, ''))) {
    throw wrong(field, `the tag in "${rule}" may have only letters, digits, ".", "_" and "-"`)
  }
  return { name, tag }
}

function valuesOf(facts: BuildFacts): Record<Variable, string> {
  return {
    SERVICE: facts.service ?? facts.image,
    IMAGE_NAME: facts.image,
    TIMESTAMP: tagTimestamp(facts.at),
    TASK_ID: facts.taskId ?? '',
    REPO_COMMIT_ID: (facts.commit ?? '').slice(0, COMMIT_DIGITS),
    PROJECT: facts.project,
    ENV_NAME: facts.environment ?? '',
    REPO_TAG: replaceForTag(facts.gitTag ?? ''),
    REPO_BRANCH: replaceForTag(facts.branch ?? ''),
    REPO_PR: (facts.pullRequests ?? []).join('-'),
  }
}

function fill(template: string, values: Record<Variable, string>): string {
  return template.replace(PLACEHOLDER, (_, name: Variable) => values[name])
}

function missingIn(template: string, values: Record<Variable, string>): string {
  const names = [...template.matchAll(PLACEHOLDER)].map(([, name]) => name as Variable)
  return `nothing is known of ${names.filter((name) => values[name] === '').join(', ')}`
}

function wrong(field: string, what: string): AppError {
  return new AppError('invalid_input', `${field}: ${what}`, { field })
}
