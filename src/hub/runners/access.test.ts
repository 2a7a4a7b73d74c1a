import { afterEach, beforeEach, expect, test } from 'bun:test'
import { codeOf } from '../../accounts/test-accounts.ts'
import { newSecret } from '../../lib/ids.ts'
import { hashSecret } from '../../lib/secrets.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import {
  BY_ADMIN,
  createTestRegistries,
  type TestRegistries,
} from '../registries/test-registries.ts'
import { enrol } from './enrolment.ts'
import { RUNNER_CREDENTIAL_PREFIX } from './protocol.ts'
import type { RunnerService } from './service.ts'
import { addRunner, enrolRunner, newRunnerKey, testRunnerService } from './test-runner.ts'

onEachEngine('runners', (create) => {
  let hub: TestRegistries
  let service: RunnerService
  beforeEach(async () => {
    hub = await createTestRegistries(create)
    service = testRunnerService(hub.accounts)
  })
  afterEach(() => hub.remove())

  const invite = async (id: string) =>
    (await service.runners.create({ id, project: null, createdBy: null })).token
  const enter = (header: string) => codeOf(service.access.authenticate(header))
  const input = async (token: string) => ({
    token,
    publicKey: (await newRunnerKey()).publicKey,
    credentialHash: hashSecret(newSecret()),
    version: '1',
  })

  test('enrol once with a token, and again only as the same program', async () => {
    const token = await invite('edge')
    const first = await input(token)
    expect(await enrol(hub.accounts, first)).toEqual({ id: 'edge', name: 'edge' })
    expect(await enrol(hub.accounts, first)).toEqual({ id: 'edge', name: 'edge' })
    expect(await codeOf(enrol(hub.accounts, await input(token)))).toBe('unauthenticated')
    expect(await service.runners.get('edge')).toMatchObject({ state: 'online', keyEpoch: 1 })
    expect(await codeOf(enrol(hub.accounts, await input('epe_wrong')))).toBe('unauthenticated')
    const late = await invite('late')
    hub.accounts.pass(24 * 3_600_000 + 1)
    expect(await codeOf(enrol(hub.accounts, await input(late)))).toBe('unauthenticated')
  })

  test('that race for one token: one of them becomes the runner', async () => {
    const token = await invite('edge')
    const inputs = await Promise.all(Array.from({ length: 4 }, () => input(token)))
    const codes = await Promise.all(inputs.map((each) => codeOf(enrol(hub.accounts, each))))
    expect(codes.filter((code) => code === 'none')).toHaveLength(1)
  })

  test('have ids of their own: chosen or made up, none that means something else', async () => {
    await invite('edge')
    expect(await codeOf(invite('edge'))).toBe('conflict')
    for (const id of ['local', 'self', 'enrol', '', '-a', 'a b', 'x'.repeat(65)]) {
      expect([id, await codeOf(invite(id))]).toEqual([id, 'invalid_input'])
    }
    await invite('x'.repeat(64))
    const { runner } = await service.runners.create({ project: null, createdBy: null })
    expect(runner.id).toMatch(/^runner-[0-9a-f]{16}$/)
    expect(runner.name).toBe(runner.id)
  })

  test('change credentials so that none is ever locked out', async () => {
    const { header } = await addRunner(hub.accounts, 'edge')
    const next = () => {
      const secret = `${RUNNER_CREDENTIAL_PREFIX}${newSecret()}`
      return { header: `Bearer ${secret}`, hash: hashSecret(secret) }
    }
    const runner = await service.access.authenticate(header)
    const [lost, second] = [next(), next()]
    await service.access.rotate(runner, lost.hash)
    // The answer got lost: the runner tries another one.
    await service.access.rotate(runner, second.hash)
    expect(await enter(lost.header)).toBe('unauthenticated')
    expect(await enter(header)).toBe('none')
    expect(await enter(second.header)).toBe('none')
    expect(await enter(header)).toBe('unauthenticated')
    expect(await enter(second.header)).toBe('none')
  })

  test('that were enrolled anew cannot be taken over by who was let in just before', async () => {
    const first = await addRunner(hub.accounts, 'edge')
    const stolen = await service.access.authenticate(first.header)
    const { token } = await service.runners.inviteAgain('edge')
    const second = await enrolRunner(hub.accounts, token)
    const hash = hashSecret(newSecret())
    expect(await codeOf(service.access.rotate(stolen, hash))).toBe('unauthenticated')
    expect(await enter(second.header)).toBe('none')
  })

  test('are refused with anything but their own credential', async () => {
    const { credential, header } = await addRunner(hub.accounts, 'edge')
    for (const wrong of ['', 'Bearer', `Basic ${credential}`, `${header}x`, 'Bearer ept_abc']) {
      expect([wrong, await enter(wrong)]).toEqual([wrong, 'unauthenticated'])
    }
  })

  test('that were revoked are heard no more, and their registries say so', async () => {
    const { header } = await addRunner(hub.accounts, 'edge')
    const { id } = await hub.add('far', { connectClusterId: 'edge' })
    await service.runners.revoke('edge')
    expect(await enter(header)).toBe('unauthenticated')
    expect(await service.runners.get('edge')).toMatchObject({ state: 'revoked' })
    expect(await hub.registries.get(id)).toMatchObject({
      health: 'failing',
      healthCode: 'CREATE_JOB_FAILED',
      healthReason: expect.stringContaining('revoked'),
    })
    expect(await codeOf(service.runners.remove('edge'))).toBe('in_use')
    await hub.registries.remove(id, {})
    await service.runners.remove('edge')
    expect(await service.runners.get('edge')).toBeUndefined()
    expect(await codeOf(service.runners.revoke('edge'))).toBe('not_found')
  })

  test('with a new key have the password asked for again', async () => {
    const first = await addRunner(hub.accounts, 'edge')
    const { id } = await hub.add('far', { connectClusterId: 'edge' })
    const without = await hub.add('open', { connectClusterId: 'edge', accessKey: '', secret: '' })
    const { token } = await service.runners.inviteAgain('edge')
    const second = await enrolRunner(hub.accounts, token)
    expect(await enter(first.header)).toBe('unauthenticated')
    expect(await enter(second.header)).toBe('none')
    expect(await service.runners.get('edge')).toMatchObject({ keyEpoch: 2 })
    expect(await hub.registries.get(id)).toMatchObject({
      health: 'failing',
      healthCode: 'SERVER_ERROR',
      healthReason: expect.stringContaining('give the password again'),
    })
    expect(await hub.registries.get(without.id)).toMatchObject({ health: 'unknown' })
    await hub.registries.update(id, { secret: 'again' }, BY_ADMIN)
    const { keyId } = (await service.runners.get('edge')) ?? {}
    expect(await hub.registries.get(id)).toMatchObject({ health: 'unknown', runnerKey: keyId })
  })

  test('that come back have done again what failed meanwhile', async () => {
    const { header } = await addRunner(hub.accounts, 'edge')
    const { id } = await hub.add('far', { connectClusterId: 'edge' })
    const { db } = hub.accounts
    const values = { health: 'failing', health_code: 'CREATE_JOB_FAILED' } as const
    await db.query.updateTable('registry').set(values).where('id', '=', id).execute()
    await service.access.authenticate(header)
    const jobs = () => db.query.selectFrom('job').select('name').execute()
    expect(await jobs()).toEqual([])
    hub.accounts.pass(61_000)
    expect(await service.runners.get('edge')).toMatchObject({ state: 'away' })
    await service.access.authenticate(header)
    expect(await service.runners.get('edge')).toMatchObject({ state: 'online' })
    expect(await jobs()).toEqual([{ name: 'registry.check' }])
  })
})
