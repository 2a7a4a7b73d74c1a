import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { isTag, parseReference } from '../../oci/reference.ts'
import { distributedImage, imageIn, readImage } from './image-name.ts'
import { fitTag } from './image-tag.ts'
import { type BuildFacts, nameBuild } from './naming-rules.ts'
import { registryHostOf } from './registry-host.ts'

const AT = Date.parse('2026-03-01T12:34:56Z')
const facts = (more: Partial<BuildFacts> = {}): BuildFacts => ({
  image: 'app',
  project: 'payments',
  at: AT,
  ...more,
})
const built = (...args: Parameters<typeof nameBuild>) => {
  const { name, tag } = nameBuild(...args)
  return `${name}:${tag}`
}
const place = (address: string, namespace = '', provider: 'native' | 'dockerhub' = 'native') => ({
  provider,
  address,
  namespace,
})

describe('default names', () => {
  test.each([
    ['nothing', {}, 'app:20260301123456'],
    ['a git tag', { gitTag: 'v1.2', taskId: '7' }, 'app:20260301123456-v1.2'],
    [
      'a branch and pull requests',
      { branch: 'feature/a b', taskId: '7', pullRequests: [12, 13] },
      'app:20260301123456-7-feature-a-b-pr-12-13',
    ],
    ['pull requests', { taskId: '7', pullRequests: [12] }, 'app:20260301123456-7-pr-12'],
    ['a branch', { branch: 'main', taskId: '7' }, 'app:20260301123456-7-main'],
    ['a branch without a task', { branch: 'main' }, 'app:20260301123456-main'],
    ['letters of another script', { branch: '修复', taskId: '7' }, 'app:20260301123456-7---'],
  ])('%s', (_, more, expected) => {
    expect(built(facts(more))).toBe(expected)
  })
})

describe('templates', () => {
  const all = {
    service: 'web',
    environment: 'staging',
    taskId: '42',
    commit: '0123456789abcdef',
    branch: 'fix/x',
    pullRequests: [3, 4],
  }

  test('know every variable', () => {
    const prAndBranch =
      '{{.IMAGE_NAME}}-{{.SERVICE}}:{{.TIMESTAMP}}-{{.TASK_ID}}-{{ .REPO_COMMIT_ID }}-' +
      '{{.PROJECT}}-{{.ENV_NAME}}-{{.REPO_TAG}}-{{.REPO_BRANCH}}-{{.REPO_PR}}'
    expect(built(facts(all), { prAndBranch })).toBe(
      'app-web:20260301123456-42-01234567-payments-staging--fix-x-3-4',
    )
  })

  test('apply to their own case only', () => {
    const rules = { pr: 'p:p', branch: 'b:b', prAndBranch: 'pb:pb', tag: 't:t' }
    expect(built(facts({ pullRequests: [1] }), rules)).toBe('p:p')
    expect(built(facts({ branch: 'x' }), rules)).toBe('b:b')
    expect(built(facts({ branch: 'x', pullRequests: [1] }), rules)).toBe('pb:pb')
    expect(built(facts({ branch: 'x', gitTag: 'v1' }), rules)).toBe('t:t')
    expect(built(facts(), rules)).toBe('app:20260301123456')
  })

  test('keep slashes in the name and replace them in the tag', () => {
    const team = facts({ image: 'team/app', branch: 'main' })
    expect(built(team, { branch: '{{.IMAGE_NAME}}:{{.IMAGE_NAME}}' })).toBe('team/app:team-app')
  })

  test.each([
    ['', 'is empty'],
    ['  ', 'is empty'],
    ['{{.IMAGE_NAME}}', 'exactly one ":"'],
    ['a:b:c', 'exactly one ":"'],
    [':x', 'must have a name and a tag'],
    ['x:', 'must have a name and a tag'],
    ['{{.NOPE}}:x', '{{.NOPE}} is not known; there are {{.SERVICE}}'],
    ['{{if .X}}:x', 'may have only'],
    ['App:x', 'the name in "App:x"'],
    ['app:a b', 'the tag in "app:a b"'],
    ['app:$(id)', 'the tag in'],
    ['app:{{.REPO_TAG}}', 'nothing is known of REPO_TAG'],
  ])('refuse %p', (branch, says) => {
    expect(() => nameBuild(facts({ branch: 'main' }), { branch })).toThrow(says)
  })
})

describe('tags', () => {
  test('are valid whatever a build knows', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ minLength: 200 }))
    const anyFacts = fc.record(
      {
        branch: text,
        gitTag: text,
        taskId: text,
        service: text,
        environment: text,
        commit: text,
        pullRequests: fc.array(fc.nat()),
      },
      { requiredKeys: [] },
    )
    const rule = 'app:{{.REPO_BRANCH}}{{.ENV_NAME}}{{.SERVICE}}{{.REPO_PR}}x'
    fc.assert(
      fc.property(anyFacts, fc.boolean(), (more, ruled) => {
        const rules = ruled ? { tag: rule, branch: rule, pr: rule, prAndBranch: rule } : {}
        const { tag } = nameBuild(facts(more), rules)
        expect(isTag(tag)).toBe(true)
        expect(parseReference(tag)).toEqual({ kind: 'tag', tag })
      }),
    )
  })

  test('that are too long stay different', () => {
    const letters = fc.constantFrom(...'aB3._-')
    const long = fc.string({ unit: letters, minLength: 129, maxLength: 300 })
    fc.assert(
      fc.property(long, long, (a, b) => {
        expect(fitTag(a) === fitTag(b)).toBe(a === b)
        expect(fitTag(a)).toHaveLength(128)
      }),
    )
    const shared = 'b'.repeat(200)
    expect(fitTag(`${shared}1`)).not.toBe(fitTag(`${shared}2`))
  })

  test('of at most 128 characters stay as they are', () => {
    const whole = `a${'-'.repeat(127)}`
    expect(fitTag(whole)).toBe(whole)
    expect(fitTag('.hidden')).toBe('_hidden')
    expect(fitTag('-x')).toBe('_x')
  })
})

describe('whole names', () => {
  test.each([
    [
      'http://registry.cn-shanghai.aliyuncs.com',
      'koderover',
      'registry.cn-shanghai.aliyuncs.com/koderover/app:1',
    ],
    [
      'https://koderover-zadig.tencentcloudcr.com/',
      'test',
      'koderover-zadig.tencentcloudcr.com/test/app:1',
    ],
    [
      'https://swr.cn-east-3.myhuaweicloud.com//',
      '/org/',
      'swr.cn-east-3.myhuaweicloud.com/org/app:1',
    ],
    [
      'https://koderover-zadig.dkr.ecr.ap-northeast-1.amazonaws.com',
      '',
      'koderover-zadig.dkr.ecr.ap-northeast-1.amazonaws.com/app:1',
    ],
    ['https://asia-docker.pkg.dev', 'project/repo', 'asia-docker.pkg.dev/project/repo/app:1'],
    ['https://Harbor.Example.com:8443/mirror/', 'ns', 'harbor.example.com:8443/mirror/ns/app:1'],
    ['harbor.example.com', '', 'harbor.example.com/app:1'],
    ['http://user:secret@harbor.example.com', '', 'harbor.example.com/app:1'],
  ])('%s, %p', (address, namespace, expected) => {
    expect(imageIn(place(address, namespace), { name: 'app', tag: '1' })).toBe(expected)
  })

  test('docker hub has one name', () => {
    for (const host of ['index.docker.io', 'registry-1.docker.io', 'hub.docker.com', 'docker.io']) {
      const hub = place(`https://${host}`, 'koderover', 'dockerhub')
      expect(imageIn(hub, { name: 'app', tag: '1' })).toBe('docker.io/koderover/app:1')
      expect(registryHostOf(hub).loginServer).toBe('https://index.docker.io/v1/')
    }
    // A mirror that somebody integrated as Docker Hub keeps its own.
    const mirror = place('https://hub.example.com', 'a', 'dockerhub')
    expect(imageIn(mirror, { name: 'app', tag: '1' })).toBe('hub.example.com/a/app:1')
  })

  test('only own kinds of registries are spoken to without TLS', () => {
    expect(registryHostOf(place('http://a.example.com')).url).toBe('http://a.example.com')
    expect(registryHostOf({ provider: 'acr', address: 'http://a.example.com' })).toMatchObject({
      url: 'https://a.example.com',
      plainHttp: false,
    })
  })

  test.each([
    ['App', 'write "app" in place of "App"'],
    ['a b', 'cannot be the name of an image'],
    ['registry.example.com:5000/app', 'cannot be the name of an image'],
    ['a'.repeat(250), 'clients take 255 at most'],
    ['app;id', 'cannot be the name of an image'],
    ['../app', 'cannot be the name of an image'],
  ])('refuse %s', (name, says) => {
    expect(() => imageIn(place('https://r.example.com'), { name, tag: '1' })).toThrow(says)
  })

  test('a namespace that is none is told', () => {
    expect(() => imageIn(place('https://r.example.com', 'Ns'), { name: 'a' })).toThrow(
      `look at the registry's namespace`,
    )
  })
})

describe('what people write', () => {
  const digest = `sha256:${'a'.repeat(64)}`
  test.each([
    ['app', { name: 'app' }],
    ['team/app:1.2', { name: 'team/app', tag: '1.2' }],
    [`app@${digest}`, { name: 'app', digest }],
    [`host:5000/app:1@${digest}`, { name: 'host:5000/app', tag: '1', digest }],
  ])('%s', (text, expected) => {
    expect(readImage(text)).toEqual({ tag: undefined, digest: undefined, ...expected })
  })

  test.each(['', ':1', 'app:', 'app:-', 'app@sha256:1', `app@${digest}@${digest}`])(
    'refuse %p',
    (text) => {
      expect(() => readImage(text)).toThrow()
    },
  )
})

test('a copy keeps the last segment and the tag', () => {
  expect(distributedImage('registry:5000/a/b/app:1')).toEqual({ name: 'app', tag: '1' })
  expect(distributedImage('registry:5000/app:1', '2')).toEqual({ name: 'app', tag: '2' })
  const digest = `sha256:${'a'.repeat(64)}`
  expect(distributedImage(`r/app:1@${digest}`)).toEqual({ name: 'app', tag: '1' })
  expect(() => distributedImage(`r/app@${digest}`)).toThrow('has no tag to keep')
})
