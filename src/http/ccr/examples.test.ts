import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import {
  descriptorOf,
  digestOf,
  imageManifest,
  OCI_INDEX,
  OCI_MANIFEST,
  pushBlob,
} from '../test-content.ts'
import { basic } from '../test-server.ts'
import { type CcrBody, INSTANCE_PATH, startTestCcr, type TestCcr } from './test-ccr.ts'
import { chartArchive } from './test-chart.ts'
import { DOWNLOAD_PATH, formOf, INDEX_SAMPLE, SAMPLES, shapeOf } from './test-samples.ts'

setDefaultTimeout(60_000)

/*
 * Every example of the document, in its order, against the running program: the request as it is
 * printed, the answer field by field and type by type. What is printed besides the samples' own
 * ids, times and names is compared as it stands.
 */

let ccr: TestCcr
beforeAll(async () => {
  ccr = await startTestCcr()
})
afterAll(() => ccr.stop())

type Sample = (typeof SAMPLES)[keyof typeof SAMPLES]

async function ask(sample: Sample, path: string = sample.path): Promise<CcrBody> {
  const body = 'body' in sample ? { body: sample.body } : {}
  const headers = { 'content-type': 'application/json' }
  const answer = await ccr.call(sample.method, path, { ...body, headers })
  expect(answer.status).toBe(200)
  expect(answer.header('content-type')).toBe('application/json')
  expect(shapeOf(answer.body)).toEqual(shapeOf(sample.answer))
  const { code, message, requestId } = answer.body
  expect({ code, message }).toEqual({ code: 'CCR.Success', message: '调用成功' })
  expect(requestId).toBe(answer.header('x-request-id') ?? 'none')
  return answer.body
}

/** The fields of a sample without those that tell one installation from another. */
function without(object: object, ...names: string[]) {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))
}

function expectForms(found: object, sample: object, ...names: string[]) {
  const forms = (from: object) => names.map((name) => formOf(Reflect.get(from, name)))
  expect(forms(found)).toEqual(forms(sample))
}

const architectures = ['arm64', 'amd64'] as const
const config = (architecture: string) => JSON.stringify({ architecture, os: 'linux' })
const layer = 'a layer'
const manifests = architectures.map((architecture) => imageManifest(config(architecture), [layer]))
const index = JSON.stringify({
  schemaVersion: 2,
  mediaType: OCI_INDEX,
  manifests: manifests.map((manifest, i) => ({
    ...descriptorOf(manifest, OCI_MANIFEST),
    platform: { architecture: architectures[i], os: 'linux' },
  })),
})

async function pushIndex(repository: string) {
  const wire = ccr.connect()
  const put = async (reference: string, type: string, body: string) => {
    const path = `/v2/${repository}/manifests/${reference}`
    const headers = { 'content-type': type }
    const answer = await wire.request('PUT', path, { as: ccr.admin, headers, body })
    expect(answer.status).toBe(201)
  }
  for (const architecture of architectures) {
    await pushBlob(wire, ccr.admin, repository, config(architecture))
  }
  await pushBlob(wire, ccr.admin, repository, layer)
  for (const manifest of manifests) await put(digestOf(manifest), OCI_MANIFEST, manifest)
  await put('v1', OCI_INDEX, index)
}

test('1.2 creates a project', async () => {
  await ask(SAMPLES.createProject)
})

test('1.3 deletes it', async () => {
  await ask(SAMPLES.deleteProject)
})

test('1.4 lists projects', async () => {
  const { projects, ...rest } = await ask(SAMPLES.listProjects)
  expect(rest).toMatchObject({ page: 1, pageSize: 10, total: 1 })
  const [sample] = SAMPLES.listProjects.answer.projects
  const [project = {}] = projects
  const own = ['createdAt', 'updatedAt', 'tenantId', 'storageUsed']
  expect(without(project, ...own)).toEqual(without(sample, ...own))
  expect(project.storageUsed).toBe(0)
  expectForms(project, sample, 'createdAt', 'updatedAt', 'tenantId')
})

test('1.6 creates a repository', async () => {
  await ask(SAMPLES.createRepository)
})

test('1.7 deletes it', async () => {
  await ask(SAMPLES.deleteRepository)
})

test('1.5 lists the repositories of all projects', async () => {
  await ccr.ok('POST', '/projects', { name: 'test01', isPublic: true })
  await pushIndex('test01/test')
  const { data, totalCount } = await ask(SAMPLES.listRepositories)
  expect(totalCount).toBe(1)
  const [sample] = SAMPLES.listRepositories.answer.data
  const [repository] = data as [object]
  expect(without(repository, 'createdAt')).toEqual(without(sample, 'createdAt'))
  expectForms(repository, sample, 'createdAt')
  const ofProject = await ask(SAMPLES.listRepositories, '/projects/test01/repositories')
  expect(ofProject.data).toEqual(data)
})

test('1.8 shows a repository', async () => {
  const { data } = await ask(SAMPLES.getRepository)
  const sample = SAMPLES.getRepository.answer.data
  expect(without(data as object, 'createdAt')).toEqual(without(sample, 'createdAt'))
  expectForms(data as object, sample, 'createdAt')
})

test('1.9 lists the artifacts of a repository', async () => {
  await pushIndex('library/test')
  const { artifacts, ...rest } = await ask(SAMPLES.listArtifacts)
  expect(rest).toMatchObject({ page: 1, pageSize: 10, total: 1 })
  const [artifact] = artifacts
  if (!artifact) throw new Error('there is no artifact')
  const own = ['digest', 'id', 'push_time', 'references', 'repository_id', 'size', 'tags']
  expect(without(artifact, ...own)).toEqual(without(INDEX_SAMPLE, ...own))
  expectForms(artifact, INDEX_SAMPLE, 'digest', 'push_time')
  expect(artifact.digest).toBe(digestOf(index))
  const bytes = architectures.reduce(
    (sum, architecture, i) => sum + config(architecture).length + (manifests[i]?.length ?? 0),
    index.length + 2 * layer.length,
  )
  expect(artifact.size).toBe(bytes)
  expect(artifact.references.map((reference) => reference.platform)).toEqual(
    INDEX_SAMPLE.references.map((reference) => reference.platform),
  )
  expect(artifact.references.map((reference) => reference.child_digest)).toEqual(
    manifests.map((manifest) => digestOf(manifest)),
  )
  expect(new Set(artifact.references.map((reference) => reference.parent_id))).toEqual(
    new Set([artifact.id]),
  )
  const [tag = {}] = artifact.tags
  const [printed] = INDEX_SAMPLE.tags
  if (!printed) throw new Error('the sample has a tag')
  const ids = ['artifact_id', 'id', 'repository_id', 'push_time']
  expect(without(tag, ...ids)).toEqual(without(printed, ...ids))
  expect(tag).toMatchObject({ artifact_id: artifact.id, repository_id: artifact.repository_id })
  expectForms(tag, printed, 'push_time')
})

test('1.10 deletes an artifact', async () => {
  const path = SAMPLES.deleteArtifact.path.replace('{digest}', digestOf(index))
  await ask(SAMPLES.deleteArtifact, path)
  const left = await ccr.ok('GET', '/projects/library/repositories/test/artifacts')
  // What the index held is an artifact of its own again.
  expect(left.artifacts.map(({ digest }) => digest).sort()).toEqual(
    manifests.map((manifest) => digestOf(manifest)).sort(),
  )
})

const archive = chartArchive('postgresql', '12.2.7')

test('1.11 lists charts', async () => {
  const headers = { 'content-type': 'application/octet-stream' }
  const path = '/charts/api/library/charts'
  const uploaded = await ccr
    .connect()
    .request('POST', path, { as: ccr.admin, headers, body: archive })
  expect(uploaded.status).toBe(201)
  const { charts, ...rest } = await ask(SAMPLES.listCharts)
  expect(rest).toMatchObject({ pageNo: 1, pageSize: 10, total: 1 })
  const [chart] = charts as [object]
  const [sample] = SAMPLES.listCharts.answer.charts
  expect(without(chart, 'created', 'updated')).toEqual(without(sample, 'created', 'updated'))
  expectForms(chart, sample, 'created')
})

test('1.13 downloads an archive', async () => {
  const answer = await ccr
    .connect()
    .request('GET', INSTANCE_PATH + DOWNLOAD_PATH, { as: ccr.admin })
  expect(answer.status).toBe(200)
  expect(answer.exactLength).toBe(true)
  expect(answer.header('content-disposition')).toContain('postgresql-12.2.7.tgz')
  expect(digestOf(answer.body)).toBe(digestOf(archive))
})

test('1.12 deletes a chart', async () => {
  await ask(SAMPLES.deleteChart)
  expect(await ccr.failure('GET', DOWNLOAD_PATH)).toBe('404 CCR.CodeErrNotExists')
  expect((await ccr.ok('GET', '/projects/charts')).charts).toEqual([])
})

test('1.14 sets a first password, with which docker can sign in', async () => {
  await ask(SAMPLES.resetAccount)
  const as = basic('test', 'Admin134')
  const answer = await ccr.connect().request('GET', '/token?service=entrepot', { as })
  expect(answer.status).toBe(200)
})
