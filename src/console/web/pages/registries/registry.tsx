import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { Alert, Button, Card, Empty, Skeleton, Space, Tabs, Tag } from 'antd'
import { Fragment, type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError, get, path } from '../../api/client.ts'
import type { ConnectionReport, Registry } from '../../api/hub.ts'
import { ErrorView } from '../../parts/error-view.tsx'
import { NotReadYet } from '../../parts/not-read-yet.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { ServerSaid } from '../../parts/server-said.tsx'
import { Time } from '../../parts/values.tsx'
import { useSession } from '../../session.ts'
import { Browse } from './browse.tsx'
import { HealthTag } from './health-tag.tsx'
import { MakeDefault } from './make-default.tsx'
import { PROVIDER_FORMS } from './providers.ts'
import { RemoveRegistry } from './remove-registry.tsx'
import { Syncs } from './syncs.tsx'
import { TestReport, TestRunning } from './test-report.tsx'
import { TrustSetup } from './trust-setup.tsx'
import { UseList } from './use-list.tsx'
import { UseMeans } from './use-means.tsx'
import { useRegistry, useTestStored } from './use-registry.ts'

const ROUTE = '/shell/signed-in/registries/$registry'

export function RegistryPage() {
  const { registry: id } = useParams({ from: ROUTE })
  const read = useRegistry(id)
  if (!read.data) return <NotReadYet {...read} />
  return (
    <div className="page">
      <Details registry={read.data} />
    </div>
  )
}

function Details({ registry }: { registry: Registry }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const { tab = 'overview' } = useSearch({ from: ROUTE })
  const isAdmin = useSession().account?.admin === true
  const [leaving, setLeaving] = useState(false)
  const tabs = [
    { key: 'overview', label: t('nav.overview'), children: <Facts registry={registry} /> },
    { key: 'browse', label: t('hub.browse.title'), children: <Browse id={registry.id} /> },
    { key: 'syncs', label: t('inventory.tab'), children: <Syncs registry={registry} /> },
    { key: 'means', label: t('hub.means.title'), children: <UseMeans registry={registry} /> },
    { key: 'trust', label: t('hub.trust.title'), children: <TrustSetup id={registry.id} /> },
    ...(isAdmin
      ? [
          { key: 'test', label: t('hub.test.run'), children: <LastTest id={registry.id} /> },
          { key: 'uses', label: t('hub.uses.title'), children: <UseList id={registry.id} /> },
        ]
      : []),
  ]
  return (
    <>
      <PageHead
        title={registry.name}
        path={[
          <Link key="registries" to="/registries">
            {t('hub.title')}
          </Link>,
        ]}
        actions={
          isAdmin && (
            <Space wrap>
              {!registry.isDefault && <MakeDefault registry={registry} />}
              <Button
                onClick={() =>
                  void navigate({
                    to: '/registries/$registry/edit',
                    params: { registry: registry.id },
                  })
                }
              >
                {t('common.edit')}
              </Button>
              <Button danger onClick={() => setLeaving(true)}>
                {t('common.delete')}
              </Button>
            </Space>
          )
        }
      >
        <Space size={6} wrap style={{ marginTop: 6 }}>
          <HealthTag health={registry.health} />
          {registry.isDefault && <Tag color="blue">{t('hub.default')}</Tag>}
          <span className="mono">{registry.address}</span>
        </Space>
      </PageHead>
      {registry.health === 'failing' && registry.healthReason && tab !== 'test' && (
        <Alert
          type="error"
          showIcon
          title={<ServerSaid text={registry.healthReason} says={registry.healthSays} />}
          style={{ marginBottom: 12 }}
        />
      )}
      <Tabs
        activeKey={tabs.some(({ key }) => key === tab) ? tab : 'overview'}
        items={tabs}
        destroyOnHidden
        onChange={(key) => void navigate({ to: '.', replace: true, search: { tab: key } })}
      />
      <RemoveRegistry
        registry={leaving ? registry : undefined}
        onClose={() => setLeaving(false)}
        onDone={() => void navigate({ to: '/registries' })}
      />
    </>
  )
}

function Facts({ registry }: { registry: Registry }) {
  const { t } = useTranslation()
  const { region, namespace, user } = PROVIDER_FORMS[registry.provider]
  const facts: [string, ReactNode][] = [
    [t('hub.provider'), t(`hub.providers.${registry.provider}`)],
    ...(region ? [pair(t(`hub.fields.${region.label}`), registry.region || '–')] : []),
    ...(namespace ? [pair(t(`hub.fields.${namespace.label}`), registry.namespace || '–')] : []),
    ...(registry.accessKey === null
      ? []
      : [pair(t(`hub.fields.${user.label}`), registry.accessKey || '–')]),
    [t('hub.scope'), registry.projects?.join(', ') ?? t('hub.allProjects')],
    [t('hub.verifyTls'), registry.verifyTls ? t('common.yes') : t('common.no')],
    [t('hub.certificate'), registry.caCertificate === null ? '–' : t('common.yes')],
    [t('hub.checked'), <Time key="checked" at={registry.checkedAt} />],
    [t('common.created'), <Time key="created" at={registry.createdAt} />],
    ...(registry.notes ? [pair(t('hub.notes'), registry.notes)] : []),
  ]
  return (
    <Card style={{ maxWidth: 720 }}>
      <dl className="fact-list">
        {facts.map(([name, value]) => (
          <Fragment key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </Fragment>
        ))}
      </dl>
    </Card>
  )
}

const pair = (name: string, value: string): [string, ReactNode] => [name, value]

function LastTest({ id }: { id: string }) {
  const { t } = useTranslation()
  const test = useTestStored(id)
  const last = useQuery({
    queryKey: ['/registries', id, 'test'],
    queryFn: ({ signal }) => get<ConnectionReport>(path`/registries/${id}/test`, {}, signal),
    retry: false,
  })
  const untested = last.error instanceof ApiError && last.error.status === 404
  return (
    <Card style={{ maxWidth: 720 }}>
      <Button disabled={test.isPending} onClick={() => test.mutate()}>
        {t('hub.test.again')}
      </Button>
      <div style={{ marginTop: 16 }}>
        {test.error && <ErrorView error={test.error} />}
        {test.isPending ? (
          <TestRunning />
        ) : last.data ? (
          <TestReport report={last.data} />
        ) : untested ? (
          <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('hub.test.never')} />
        ) : last.error ? (
          <ErrorView error={last.error} onRetry={() => void last.refetch()} />
        ) : (
          <Skeleton active />
        )}
      </div>
    </Card>
  )
}
