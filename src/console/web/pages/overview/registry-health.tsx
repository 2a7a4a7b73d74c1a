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
    [t('overview.healthy'), ok],
    [t('overview.failing'), failing],
    [t('overview.untested'), unknown],
  ] as const
  return (
    <Card
      title={t('overview.health')}
      extra={<Link to="/registries">{t('overview.allRegistries')}</Link>}
    >
      {ok + failing + unknown === 0 ? (
        <p style={{ margin: 0 }}>{t('overview.noRegistries')}</p>
      ) : (
        <dl className="fact-list">
          {rows.map(([name, count]) => (
            <div key={name} className="fact-row">
              <dt>{name}</dt>
              <dd>{format.number(count)}</dd>
            </div>
          ))}
        </dl>
      )}
      {failures.length > 0 && (
        <ul className="plain-list">
          {failures.map(({ id, name }) => (
            <li key={id}>
              <Link to="/registries/$registry" params={{ registry: id }}>
                {name}
              </Link>
            </li>
          ))}
        </ul>
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
