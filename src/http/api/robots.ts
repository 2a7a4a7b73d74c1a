import { z } from '@hono/zod-openapi'
import type { NewRobot, RobotChange } from '../../accounts/robot-rows.ts'
import { AppError } from '../../lib/errors.ts'
import type { ApiDeps } from './api.ts'
import { listReply } from './pages.ts'
import { type Endpoint, endpoint, NOTHING, type RawRequest, route } from './route.ts'
import { expiry, id, idInPath, page, pageOf, robotRole, text, time, version } from './schemas.ts'

/*
 * Robots belong to a project (routes below it, one role, in it) or to the system (roles in any
 * projects). Both are the same but for that.
 */

const ProjectRole = z.strictObject({ project: id, role: robotRole })

const Robot = z
  .object({
    id,
    name: z.string().openapi({ description: 'To sign in with', example: 'payments+ci' }),
    project: id.nullable().openapi({ description: 'null: a robot of the system' }),
    description: z.string(),
    disabled: z.boolean(),
    expiresAt: expiry,
    roles: z.array(ProjectRole),
    createdAt: time,
    updatedAt: time,
    version,
  })
  .openapi('Robot')

const secret = z.string().openapi({ description: 'Shown this once' })
const NewSecret = z.object({ secret, oldValidUntil: time }).openapi('RobotSecret')
const Created = Robot.extend({ secret }).openapi('CreatedRobot')

const name = z.string().openapi({ description: 'The part after "+"', example: 'ci' })
const description = text(1_024).optional()
const expiresAt = expiry.optional()
const roles = z.array(ProjectRole).max(1_000)
const overlapSeconds = z
  .int()
  .min(0)
  .optional()
  .openapi({ description: 'How long the old secret stays good; 0 unless set' })
const params = { robot: idInPath }
const sample = { name: 'ci', role: 'developer', description: 'Builds' }

const ofProject = { permission: 'robot:manage', on: 'project' } as const
const ofSystem = { permission: 'account:manage', on: 'system' } as const
const list = { method: 'GET', query: page, output: pageOf(Robot) } as const
const create = { method: 'POST', output: Created, creates: true, versioned: true } as const
const get = { method: 'GET', params, output: Robot, versioned: true } as const
const update = {
  method: 'PATCH',
  params,
  output: Robot,
  versioned: true,
  sample: { disabled: true },
} as const
const rotate = {
  method: 'POST',
  params,
  body: { overlapSeconds },
  sample: { overlapSeconds: 3600 },
  output: NewSecret,
} as const
const remove = { method: 'DELETE', params, versioned: true } as const

const IN_PROJECT = '/projects/{project}/robots'
const IN_SYSTEM = '/robots'

export const robotRoutes = {
  list: route({
    name: 'robot.list',
    path: IN_PROJECT,
    summary: 'List the robots of a project by name',
    ...ofProject,
    ...list,
  }),
  create: route({
    name: 'robot.create',
    path: IN_PROJECT,
    summary: 'Create a robot of a project',
    ...ofProject,
    ...create,
    body: { name, role: robotRole, description, expiresAt },
    sample,
  }),
  get: route({
    name: 'robot.get',
    path: `${IN_PROJECT}/{robot}`,
    summary: 'Read a robot',
    ...ofProject,
    ...get,
  }),
  update: route({
    name: 'robot.update',
    path: `${IN_PROJECT}/{robot}`,
    summary: 'Change, disable or enable a robot',
    ...ofProject,
    ...update,
    body: { role: robotRole.optional(), description, disabled: z.boolean().optional(), expiresAt },
  }),
  rotate: route({
    name: 'robot.rotate',
    path: `${IN_PROJECT}/{robot}/rotate`,
    summary: 'Give a robot a new secret',
    ...ofProject,
    ...rotate,
  }),
  remove: route({
    name: 'robot.delete',
    path: `${IN_PROJECT}/{robot}`,
    summary: 'Delete a robot',
    ...ofProject,
    ...remove,
  }),
}

export const systemRobotRoutes = {
  list: route({
    name: 'system-robot.list',
    path: IN_SYSTEM,
    summary: 'List the robots of the system by name',
    ...ofSystem,
    ...list,
  }),
  create: route({
    name: 'system-robot.create',
    path: IN_SYSTEM,
    summary: 'Create a robot with roles in any projects',
    ...ofSystem,
    ...create,
    body: { name, roles, description, expiresAt },
    sample: { name: 'mirror', roles: [], description: 'Copies images' },
  }),
  get: route({
    name: 'system-robot.get',
    path: `${IN_SYSTEM}/{robot}`,
    summary: 'Read a robot of the system',
    ...ofSystem,
    ...get,
  }),
  update: route({
    name: 'system-robot.update',
    path: `${IN_SYSTEM}/{robot}`,
    summary: 'Change, disable or enable a robot of the system',
    ...ofSystem,
    ...update,
    body: { roles: roles.optional(), description, disabled: z.boolean().optional(), expiresAt },
  }),
  rotate: route({
    name: 'system-robot.rotate',
    path: `${IN_SYSTEM}/{robot}/rotate`,
    summary: 'Give a robot of the system a new secret',
    ...ofSystem,
    ...rotate,
  }),
  remove: route({
    name: 'system-robot.delete',
    path: `${IN_SYSTEM}/{robot}`,
    summary: 'Delete a robot of the system',
    ...ofSystem,
    ...remove,
  }),
}

type Asked = Pick<RawRequest, 'audit' | 'version'>

export function robotEndpoints({ accounts }: ApiDeps): Endpoint[] {
  const { robots } = accounts

  async function readRobot(owner: number | null, id: number) {
    const robot = await robots.get(owner, id)
    if (!robot) throw new AppError('not_found', `there is no robot with the id ${id} here`)
    return { body: robot, version: robot.version }
  }

  async function createRobot(owner: number | null, path: string, input: NewRobot, asked: Asked) {
    const { role } = input.roles[0] ?? {}
    const details = { expiresAt: input.expiresAt, ...(owner === null ? {} : { role }) }
    const { robot, secret } = await robots.create(owner, input, (tx, { name }) =>
      asked.audit(tx, { resource: name, details }),
    )
    return {
      body: { ...robot, secret },
      version: robot.version,
      location: `${path}/${robot.id}`,
    }
  }

  async function updateRobot(owner: number | null, id: number, change: RobotChange, asked: Asked) {
    const { disabled, expiresAt, roles } = change
    const role = owner === null ? undefined : roles?.[0]?.role
    const robot = await robots.update(owner, id, change, asked.version, (tx, { name }) =>
      asked.audit(tx, { resource: name, details: { disabled, expiresAt, role } }),
    )
    return { body: robot, version: robot.version }
  }

  async function rotateSecret(
    owner: number | null,
    id: number,
    overlapSeconds: number | undefined,
    { audit }: Asked,
  ) {
    const body = await robots.rotate(owner, id, { overlapSeconds }, (tx, { name }) =>
      audit(tx, { resource: name }),
    )
    return { body }
  }

  async function removeRobot(owner: number | null, id: number, { version, audit }: Asked) {
    await robots.remove(owner, id, version, (tx, { name }) => audit(tx, { resource: name }))
    return NOTHING
  }

  return [
    endpoint(robotRoutes.list, async ({ project, query }) =>
      listReply(await robots.list(project.id, query)),
    ),
    endpoint(robotRoutes.create, ({ project, body: { role, ...robot }, ...asked }) =>
      createRobot(
        project.id,
        `/projects/${project.name}/robots`,
        { ...robot, roles: [{ project: project.id, role }] },
        asked,
      ),
    ),
    endpoint(robotRoutes.get, ({ project, params }) => readRobot(project.id, params.robot)),
    endpoint(robotRoutes.update, ({ project, params, body: { role, ...change }, ...asked }) => {
      const roles = role && [{ project: project.id, role }]
      return updateRobot(project.id, params.robot, { ...change, roles }, asked)
    }),
    endpoint(robotRoutes.rotate, ({ project, params, body, ...asked }) =>
      rotateSecret(project.id, params.robot, body.overlapSeconds, asked),
    ),
    endpoint(robotRoutes.remove, ({ project, params, ...asked }) =>
      removeRobot(project.id, params.robot, asked),
    ),

    endpoint(systemRobotRoutes.list, async ({ query }) =>
      listReply(await robots.list(null, query)),
    ),
    endpoint(systemRobotRoutes.create, ({ body, ...asked }) =>
      createRobot(null, IN_SYSTEM, body, asked),
    ),
    endpoint(systemRobotRoutes.get, ({ params }) => readRobot(null, params.robot)),
    endpoint(systemRobotRoutes.update, ({ params, body, ...asked }) =>
      updateRobot(null, params.robot, body, asked),
    ),
    endpoint(systemRobotRoutes.rotate, ({ params, body, ...asked }) =>
      rotateSecret(null, params.robot, body.overlapSeconds, asked),
    ),
    endpoint(systemRobotRoutes.remove, ({ params, ...asked }) =>
      removeRobot(null, params.robot, asked),
    ),
  ]
}
