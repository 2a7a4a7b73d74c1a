import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import type { Page } from 'playwright-core'
import { PROVIDER_NAMES, type ProviderName } from '../../../src/client/provider.ts'
import { waitFor } from '../server.ts'
import { callApi } from '../transfers-api.ts'
import { describeConsole } from './browser.ts'
import { chooseProvider } from './choose-provider.ts'
import { inLanes } from './lanes.ts'

/*
 * The form of each provider, filled in as a person reads it, against a registry on this machine that
 * notes as whom one comes.
 */

setDefaultTimeout(600_000)

type Stored = 'region' | 'namespace' | 'accessKey'

interface Form {
  title: string
  /** What its fields are called, and what is typed into them. */
  fields: Partial<Record<Stored, [label: string, text: string]>>
  address?: string
  secret: string
  /** Teams run it themselves, so it may be without TLS, as the one of this test is. */
  mayBePlain?: true
}

const docker = { accessKey: ['Docker user name', 'ci-user'] } satisfies Form['fields']
const payments = 'payments'

const FORMS: Record<ProviderName, Form> = {
  acr: {
    title: 'Alibaba Cloud ACR (personal)',
    fields: { namespace: ['Namespace', payments], ...docker },
    secret: 'Docker password',
  },
  'acr-enterprise': {
    title: 'Alibaba Cloud ACR (enterprise)',
    fields: { namespace: ['Namespace', payments], ...docker },
    secret: 'Docker password',
  },
  tcr: {
    title: 'Tencent Cloud TCR (personal)',
    fields: { namespace: ['Namespace', payments], ...docker },
    secret: 'Docker password',
  },
  'tcr-enterprise': {
    title: 'Tencent Cloud TCR (enterprise)',
    fields: { namespace: ['Namespace', payments], ...docker },
    secret: 'Docker password',
  },
  swr: {
    title: 'Huawei Cloud SWR',
    fields: {
      region: ['Region', 'xx-none-1'],
      namespace: ['Organization', payments],
      accessKey: ['Access Key (AK)', 'AK-OF-CI'],
    },
    secret: 'Secret Key (SK)',
  },
  ecr: {
    title: 'Amazon ECR',
    fields: { region: ['Region', 'xx-none-1'], accessKey: ['Access Key ID', 'AKIAOFCI'] },
    address: 'URI',
    secret: 'Secret Access Key',
  },
  gar: {
    title: 'Google Artifact Registry',
    fields: {
      region: ['Location', 'xx-none1'],
      namespace: ['Namespace', 'project/images'],
      accessKey: ['User name', '_json_key_base64'],
    },
    secret: 'Service account key',
  },
  harbor: {
    title: 'Harbor',
    mayBePlain: true,
    fields: { namespace: ['Project', payments], ...docker },
    secret: 'Docker password',
  },
  dockerhub: {
    title: 'Docker Hub',
    fields: { namespace: ['Organization', payments], ...docker },
    secret: 'Docker password',
  },
  jfrog: {
    title: 'JFrog Artifactory',
    mayBePlain: true,
    fields: { namespace: ['Repository key', 'docker-local'], accessKey: ['User name', 'ci'] },
    secret: 'API key',
  },
  nexus: {
    title: 'Sonatype Nexus',
    mayBePlain: true,
    fields: { accessKey: ['User name', 'ci'] },
    secret: 'Password',
  },
  azure: {
    title: 'Azure Container Registry',
    fields: { namespace: ['Namespace', payments], accessKey: ['User name', 'ci'] },
    secret: 'Password',
  },
  quay: {
    title: 'Quay',
    fields: { namespace: ['Organization', payments], accessKey: ['User name', 'payments+ci'] },
    secret: 'Access token',
  },
  ghcr: {
    title: 'GitHub Packages',
    fields: { namespace: ['Owner', payments], accessKey: ['User name', 'ci'] },
    secret: 'Access token',
  },
  gitlab: {
    title: 'GitLab',
    fields: { namespace: ['Group or project', 'payments/app'], accessKey: ['User name', 'ci'] },
    secret: 'Access token',
  },
  native: {
    title: 'Other',
    mayBePlain: true,
    fields: { namespace: ['Namespace', payments], ...docker },
    secret: 'Docker password',
  },
}

/** Every field that the form of some provider has: the others must not be there. */
const ALL_NAMESPACES = [
  ...new Set(Object.values(FORMS).flatMap(({ fields }) => fields.namespace?.[0] ?? [])),
]

/** Logins that came, as `name:password`. */
const seen = new Set<string>()

const startStandIn = () =>
  Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request) {
      const [, login] = /^Basic (.+)$/.exec(request.headers.get('authorization') ?? '') ?? []
      if (login) seen.add(atob(login))
      const challenge = { 'www-authenticate': 'Basic realm="stand-in"' }
      if (!login) return new Response('{}', { status: 401, headers: challenge })
      const isBase = new URL(request.url).pathname === '/v2/'
      return Response.json({}, { status: isBase ? 200 : 404 })
    },
  })

describeConsole('the form of a registry', (console) => {
  let standIn: ReturnType<typeof startStandIn>
  beforeAll(() => {
    standIn = startStandIn()
  })
  const ids: string[] = []
  afterAll(async () => {
    for (const id of ids) await callApi(console().server, 'DELETE', `/registries/${id}`)
    await standIn?.stop(true)
  }, 120_000)
  const add = (page: Page) => page.getByRole('button', { name: 'Add a registry' }).click()

  test('is there for each provider, with its own words, and stores what was typed', async () => {
    const { server } = console()
    const address = `http://127.0.0.1:${standIn.port}`
    const wrong = await inLanes(PROVIDER_NAMES, async (provider) => {
      const { title, fields, secret, ...form } = FORMS[provider]
      const name = `form-${provider}`
      const secretText = `secret-of-${provider}`
      const { page, open } = await console().signedIn()
      await open('/registries/new')
      await chooseProvider(page, title)
      const type = (label: string, text: string) =>
        page.getByLabel(label, { exact: true }).fill(text)
      await type('Name', name)
      await type(form.address ?? 'Address', address)
      await type(secret, secretText)
      for (const [label, text] of Object.values(fields)) await type(label, text)
      const extra: string[] = []
      for (const label of ['Region', 'Location', ...ALL_NAMESPACES]) {
        const isAsked = Object.values(fields).some(([asked]) => asked === label)
        const found = await page.getByLabel(label, { exact: true }).count()
        if (found > 0 !== isAsked) extra.push(`${provider}: ${label} is there ${found} times`)
      }
      await add(page)
      await page.getByRole('heading', { name }).waitFor()
      const id = page.url().split('/').at(-1) ?? ''
      ids.push(id)
      const stored = await callApi<Record<string, unknown>>(server, 'GET', `/registries/${id}`)
      const typed = Object.entries(fields).map(([key, [, text]]) => [key, text] as const)
      expect(stored).toMatchObject({
        name,
        provider,
        address,
        region: '',
        namespace: '',
        hasSecret: true,
        ...Object.fromEntries(typed),
      })
      if ((await page.content()).includes(secretText)) extra.push(`${provider}: shows its secret`)
      await page.close()
      return extra
    })
    expect(wrong).toEqual([])
    expect(ids).toHaveLength(PROVIDER_NAMES.length)

    // Each is tested by itself once it is added: there what was typed arrives.
    for (const provider of PROVIDER_NAMES) {
      const { fields, mayBePlain } = FORMS[provider]
      const login = `${fields.accessKey?.[1]}:secret-of-${provider}`
      if (mayBePlain) await waitFor(`the login of ${provider}`, () => seen.has(login), 120_000)
    }
  })

  test('asks for what is needed, and says what the server refuses', async () => {
    const { page, open } = await console().signedIn()
    await open('/registries/new')
    await chooseProvider(page, FORMS.ecr.title)
    await page.getByLabel('Name', { exact: true }).fill('the-default')
    await page.getByLabel('URI', { exact: true }).fill('http://name:word@127.0.0.1:9')
    await add(page)
    await page.getByText('This is needed').waitFor()
    await page.getByLabel('Region', { exact: true }).fill('xx-none-1')
    await add(page)
    await page.getByRole('alert').filter({ hasText: 'address' }).first().waitFor()
    await page.getByLabel('URI', { exact: true }).fill('http://127.0.0.1:9')
    await add(page)
    await page.getByText('exists already').first().waitFor()
    await chooseProvider(page, FORMS.gar.title)
    expect(await page.getByLabel('User name').inputValue()).toBe('_json_key_base64')
  })
})
