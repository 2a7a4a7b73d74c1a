import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { createAccessKey, createProject } from '../admin-api.ts'
import { projectRoot } from '../server.ts'
import { type Client, clientTimeout, describeClient } from './client.ts'

/*
 * The programs that the vendor prints for AddRegistry and its family, run by its own SDKs with nothing
 * changed but the endpoint: first with an empty body, as printed, then a whole life of a registry.
 */

/** Runs one in a project of its own; what it printed. */
const runProgram = async (client: Client, command: readonly string[]): Promise<string[]> => {
  const { server, user, run } = client
  const project = `hss-${crypto.randomUUID().slice(0, 8)}`
  await createProject(server, project, {}, user)
  const { accessKey, secretKey } = await createAccessKey(server, user, project)
  const printed = await run(command, {
    env: {
      CLOUD_SDK_AK: accessKey,
      CLOUD_SDK_SK: secretKey,
      CLOUD_SDK_PROJECT: project,
      CLOUD_SDK_ENDPOINT: server.url,
      // The pipe is no terminal, and the name of the registry is not ASCII.
      PYTHONIOENCODING: 'utf-8',
    },
  })
  return printed.split('\n')
}

const expected = (sdk: string, more: readonly string[] = []) => [
  'empty: 400 HSS.0001 true',
  'add: ok',
  'list: ok',
  `found: 1 ${sdk} 仓库 (1/2)+* harbor.example.com`,
  'update: ok',
  ...more,
  'delete: ok',
]

/** Of a registry that answers nobody. */
const inventory = [
  'sync: ok',
  'tasks: ok',
  'task: registry True',
  'associated: ok',
  'of: 1 python 仓库 (1/2)+*',
  'images: ok',
  'images: 0 []',
  'statistics: ok',
  'statistics: 0 0 0',
]

describeClient('hss-sdk-python', ['hss-sdk-python'], (client) => {
  test(
    'adds, lists, updates, syncs and deletes a registry',
    async () => {
      const program = join(projectRoot, 'test/acceptance/hss/sdk.py')
      const printed = await runProgram(client(), ['hss-sdk-python', program])
      expect(printed).toEqual(expected('python', inventory))
    },
    clientTimeout,
  )
})

describeClient('hss-sdk-java', ['hss-sdk-java'], (client) => {
  test(
    'adds, lists, updates and deletes a registry',
    async () => {
      expect(await runProgram(client(), ['hss-sdk-java'])).toEqual(expected('java'))
    },
    clientTimeout,
  )
})

describeClient('hss-sdk-go', ['hss-sdk-go'], (client) => {
  test(
    'adds, lists, updates and deletes a registry',
    async () => {
      expect(await runProgram(client(), ['hss-sdk-go'])).toEqual(expected('go'))
    },
    clientTimeout,
  )
})
