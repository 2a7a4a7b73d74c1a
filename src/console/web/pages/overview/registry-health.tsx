import { Link } from '@tanstack/react-router'
import { Card } from 'antd'
import { useTranslation } from 'react-i18next'
import type { Overview, RegistryHealthCounts } from '../../api/types.ts'
import { useFormat } from '../../format.ts'

/** How the registries of others are, the failing ones by name. */
export function RegistryHealth({
  counts,
  runners,
}: {
  counts: RegistryHealthCounts
  runners: Overview['runners']
}) {
  const { t } = useTranslation()
  const format = useFormat()
  const { ok, failing, unknown, failures } = counts
  const rows = [
    { name: t('overview.healthy'), count: ok },
    { name: t('overview.failing'), count: failing, below: <Named registries={failures} /> },
    { name: t('overview.untested'), count: unknown },
  ]
  return (
    <Card
      title={t('overview.health')}
      extra={<Link to="/registries">{t('overview.allRegistries')}</Link>}
    >
      {ok + failing + unknown === 0 ? (
        <p style={{ margin: 0 }}>{t('overview.noRegistries')}</p>
      ) : (
        <dl className="fact-list">
          {rows.map(({ name, count, below }) => (
            <div key={name} className="fact-row">
              <dt>{name}</dt>
              <dd>
                {format.number(count)}
                {below}
              </dd>
            </div>
          ))}
        </dl>
      )}
      {runners && runners.online + runners.away + runners.other > 0 && (
        <>
          <h3 className="card-part">
            <Link to="/runners">{t('runners.title')}</Link>
          </h3>
          <dl className="fact-list">
            <dt>{t('runners.states.online')}</dt>
            <dd>{format.number(runners.online)}</dd>
            <dt>{t('runners.states.away')}</dt>
            <dd>{format.number(runners.away)}</dd>
            <dt>{t('overview.otherRunners')}</dt>
            <dd>{format.number(runners.other)}</dd>
          </dl>
        </>
      )}
    </Card>
  )
}

function Named({ registries }: { registries: RegistryHealthCounts['failures'] }) {
  if (registries.length === 0) return null
  return (
    <ul className="plain-list">
      {registries.map(({ id, name }) => (
        <li key={id}>
          <Link to="/registries/$registry" params={{ registry: id }}>
            {name}
          </Link>
        </li>
      ))}
    </ul>
  )
}
