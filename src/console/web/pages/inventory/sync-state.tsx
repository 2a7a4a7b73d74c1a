import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Alert, Button, Progress, Space, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { get, path, post } from '../../api/client.ts'
import type { ImageSync, Registry, SyncState as State } from '../../api/hub.ts'
import type { Page } from '../../api/types.ts'
import { useLivePace } from '../../live/live.ts'
import { inOrder } from '../../parts/in-order.ts'
import { ServerSaid } from '../../parts/server-said.tsx'
import { useAct } from '../../parts/use-act.ts'
import { Time } from '../../parts/values.tsx'
import { whenSlow } from '../../parts/when-slow.ts'
import { useSession } from '../../session.ts'

const COLORS: Record<State, string> = {
  queued: 'default',
  running: 'processing',
  done: 'green',
  partial: 'orange',
  failed: 'red',
}
const ASK_MS = 2_000

export function SyncTag({ state }: { state: State }) {
  const { t } = useTranslation()
  return <Tag color={COLORS[state]}>{t(`inventory.states.${state}`)}</Tag>
}

/** When a registry was read last, how far it is now, and what could not be read. */
export function SyncState({ registry }: { registry: Registry }) {
  const { t } = useTranslation()
  const isAdmin = useSession().account?.admin === true
  const every = useLivePace(ASK_MS)
  const address = path`/registries/${registry.id}/syncs`
  const query = { limit: 1 }
  const { data } = useQuery({
    queryKey: [address, query],
    queryFn: ({ signal }) => get<Page<ImageSync>>(address, query, signal),
    refetchInterval: every ?? false,
  })
  const last = data?.items[0]
  return (
    <section className="sync" aria-label={t('inventory.syncOf', { name: registry.name })}>
      <Space wrap size={8}>
        <strong>{registry.name}</strong>
        {last ? <SyncTag state={last.state} /> : <Tag>{t('inventory.never')}</Tag>}
        {last?.finishedAt && <Time at={last.finishedAt} />}
        {isAdmin && <SyncNow registry={registry} busy={last?.finishedAt === null} />}
        <Link
          to="/registries/$registry"
          params={{ registry: registry.id }}
          search={{ tab: 'syncs' }}
        >
          {t('inventory.allSyncs')}
        </Link>
      </Space>
      {last && <SyncProgress sync={last} />}
      {last && <SyncFailures sync={last} />}
    </section>
  )
}

export function SyncNow({ registry, busy }: { registry: Registry; busy: boolean }) {
  const { t } = useTranslation()
  const sync = useAct({
    act: () => post<ImageSync>(path`/registries/${registry.id}/sync`),
    renews: [[path`/registries/${registry.id}/syncs`]],
  })
  return (
    <Button disabled={busy} loading={whenSlow(sync.isPending)} onClick={() => sync.mutate()}>
      {t('inventory.syncNow')}
    </Button>
  )
}

/** While it runs: how many repositories are read. */
export function SyncProgress({ sync }: { sync: ImageSync }) {
  const { t } = useTranslation()
  const { finishedAt, repositoriesDone: done, repositoriesTotal: total, images } = sync
  if (finishedAt !== null) return null
  return (
    <div style={{ maxWidth: 480 }} role="status">
      <Progress
        percent={total === 0 ? 0 : Math.floor((done / total) * 100)}
        size="small"
        aria-label={t('inventory.progress')}
      />
      <span className="cell-note">
        {total === 0
          ? t('inventory.listing')
          : t('inventory.progressOf', { done, total, count: images })}
      </span>
    </div>
  )
}

/** Why, and which repositories are as they were before. */
export function SyncFailures({ sync }: { sync: ImageSync }) {
  const { t } = useTranslation()
  const { error, failures, repositoriesFailed, state } = sync
  if (!error && failures.length === 0) return null
  const more = repositoriesFailed - failures.length
  return (
    <Alert
      type={state === 'failed' ? 'error' : 'warning'}
      style={{ marginTop: 8 }}
      title={
        failures.length > 0 ? (
          t('inventory.failed', { count: repositoriesFailed })
        ) : (
          <SyncProblem sync={sync} />
        )
      }
      description={
        failures.length > 0 && (
          <>
            <SyncProblem sync={sync} />
            <ul className="failures">
              {inOrder(failures, (failure) => (
                <RepositoryFailure failure={failure} />
              ))}
            </ul>
            {more > 0 && t('inventory.moreFailed', { count: more })}
          </>
        )
      }
    />
  )
}

/** Of the registry as a whole. */
function SyncProblem({ sync: { error, errorSays, errorCode, state } }: { sync: ImageSync }) {
  const { t, i18n } = useTranslation()
  if (!error) return null
  const frame =
    i18n.language === 'en'
      ? ''
      : errorCode
        ? t(`inventory.failedAs.${errorCode}`)
        : state === 'partial'
          ? t('inventory.incomplete')
          : t('inventory.paused')
  return (
    <div>
      {frame && <div>{frame}</div>}
      <ServerSaid text={error} says={errorSays} />
    </div>
  )
}

function RepositoryFailure({ failure }: { failure: ImageSync['failures'][number] }) {
  const { repository, reason, says } = failure
  return (
    <li>
      <span className="mono">{repository}</span>: <ServerSaid text={reason} says={says} />
    </li>
  )
}
