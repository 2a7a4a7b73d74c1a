import { ARCHIVE_LIMIT } from '../../charts/archive.ts'
import { PROVENANCE_LIMIT } from '../../charts/provenance.ts'
import type { Upload } from '../../charts/publish.ts'
import type { RemovedChart } from '../../charts/removal.ts'
import { writeAudit } from '../../events/audit.ts'
import { AppError } from '../../lib/errors.ts'
import type { RepositoryName } from '../../oci/reference.ts'
import type { Also } from '../../store/db/database.ts'
import { readWhole } from '../body.ts'
import {
  type ChartFaceDeps,
  type ChartHandler,
  type ChartRequest,
  chartOf,
  jsonResponse,
} from './face.ts'

const BODY_LIMIT = ARCHIVE_LIMIT + PROVENANCE_LIMIT + 64 * 1024
const SAVED = { saved: true }
const DELETED = { deleted: true }

/** What was uploaded, raw or in the fields of a form. */
interface Files {
  chart?: Uint8Array
  prov?: Uint8Array
}

/** Uploads and deletions of the ChartMuseum API. */
export function writeHandlers(deps: ChartFaceDeps): Record<string, ChartHandler> {
  const { charts, registry, accounts, clock, settings } = deps
  const { publisher, removal } = charts

  function uploadOf({ context, principal, projectName, folder }: ChartRequest): Upload {
    return {
      project: projectName,
      folder,
      force: context.query.has('force'),
      account: principal.account,
      async authorize(name) {
        const project = await registry.projects.find(name.project)
        await accounts.authorizer.demand(principal, 'repository:push', {
          kind: 'repository',
          repository: name.full,
          project,
        })
        const creates = await accounts.authorizer.authorize(principal, 'project:create', {
          kind: 'system',
        })
        return {
          account: principal.account,
          mayCreateProject: creates.allowed,
          // Nobody could read what an anonymous caller pushed into a private project.
          publicProject: settings.publicByDefault || principal.kind === 'anonymous',
        }
      },
    }
  }

  async function receive({ context, projectName }: ChartRequest): Promise<Uint8Array> {
    const announced = Number(context.request.headers.get('content-length') ?? 0)
    await registry.projects.demandRoom(projectName, Math.max(1, announced))
    context.keepOpen()
    const tooLarge = () =>
      new AppError('too_large', `the upload is larger than ${ARCHIVE_LIMIT} bytes`)
    const { bodyIdleMs: idleMs } = settings
    return readWhole(context.request, { limit: BODY_LIMIT, idleMs, tooLarge })
  }

  function auditOf(request: ChartRequest, name: RepositoryName): Also<RemovedChart> {
    const { context, principal, project } = request
    return (tx, { version, digest }) =>
      writeAudit(tx, {
        at: clock(),
        actor: principal,
        action: 'chart.delete',
        project: project?.id,
        resource: version === undefined ? name.full : `${name.full}:${version}`,
        address: context.address,
        requestId: context.requestId,
        details: { digest },
      })
  }

  return {
    async upload(request) {
      const upload = uploadOf(request)
      const { chart, prov } = await filesIn(await receive(request), request, 'chart')
      if (chart) await publisher.publish(upload, chart, prov)
      else if (prov) await publisher.sign(upload, prov)
      return jsonResponse(SAVED, 201)
    },

    async sign(request) {
      const { prov } = await filesIn(await receive(request), request, 'prov')
      if (!prov) throw noFile()
      await publisher.sign(uploadOf(request), prov)
      return jsonResponse(SAVED, 201)
    },

    async 'version.delete'(request) {
      const name = chartOf(request)
      const { account } = request.principal
      await removal.removeVersion(name, request.target.version, account, auditOf(request, name))
      return jsonResponse(DELETED)
    },

    async 'chart.delete'(request) {
      const name = chartOf(request)
      await removal.remove(name, request.principal.account, auditOf(request, name))
      return jsonResponse(DELETED)
    },
  }
}

/**
 * A form with the fields `chart` and `prov`, as `helm cm-push` sends it; any other body is the file
 * itself, whatever type it claims (`curl --data-binary` says it is a form of the other kind).
 * @throws AppError invalid_input
 */
async function filesIn(
  body: Uint8Array,
  { context }: ChartRequest,
  raw: keyof Files,
): Promise<Files> {
  const type = context.request.headers.get('content-type') ?? ''
  if (!/^multipart\/form-data\b/i.test(type)) {
    if (body.length === 0) throw noFile()
    return { [raw]: body }
  }
  const form = await new Response(Buffer.from(body), { headers: { 'content-type': type } })
    .formData()
    .catch((cause: unknown) => {
      throw new AppError('invalid_input', 'the form cannot be read', {}, cause)
    })
  const files: Files = {}
  for (const field of ['chart', 'prov'] as const) {
    const value = form.get(field)
    if (value === null) continue
    files[field] =
      typeof value === 'string' ? Buffer.from(value) : new Uint8Array(await value.arrayBuffer())
  }
  if (!files.chart && !files.prov) throw noFile()
  return files
}

function noFile(): AppError {
  return new AppError(
    'invalid_input',
    'no package or provenance file found in form fields chart and prov, nor in the body',
  )
}
