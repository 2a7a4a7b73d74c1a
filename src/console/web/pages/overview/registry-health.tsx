import { Link } from '@tanstack/react-router'
import { Card } from 'antd'
import { useTranslation } from 'react-i18next'
import type { RegistryHealthCounts } from '../../api/types.ts'
import { useFormat } from '../../format.ts'

/** How the registries of others are, the failing ones by name. */
export function RegistryHealth({ counts }: { counts: RegistryHealthCounts }) {
  const { t } = useTranslation()
  const format = useFormat()
  const { ok, failing, unknown, failures } = counts
  const rows = [
    [t('overview.healthy'), ok],
    [t('overview.failing'), failing],
    [t('overview.untested'), unknown],
  ] as const
  return (
    <Card title={t('overview.health')} extra={<Link to="/registries">{t('hub.title')}</Link>}>
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
    </Card>
  )
}
