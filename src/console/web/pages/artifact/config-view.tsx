import { Card, Skeleton } from 'antd'
import { Fragment } from 'react'
import { useTranslation } from 'react-i18next'
import { ErrorView } from '../../parts/error-view.tsx'
import { Source } from '../../parts/source.tsx'
import type { RepositoryAddress } from '../repository/use-repository.ts'
import { imageConfigOf } from './image-config.ts'
import { useManifestText } from './use-artifact.ts'

export function ConfigView({ address, digest }: { address: RepositoryAddress; digest: string }) {
  const { t } = useTranslation()
  const { data, error, refetch } = useManifestText(address, digest)
  if (error) return <ErrorView error={error} onRetry={() => void refetch()} />
  if (!data) return <Skeleton active />
  if (data.config === null) return <p>{t('artifacts.noConfig')}</p>
  const { facts, environment, labels } = imageConfigOf(data.config)
  return (
    <div className="columns">
      <div style={{ display: 'grid', gap: 16, alignContent: 'start' }}>
        {facts.length > 0 && (
          <Card title={t('artifacts.config')}>
            <dl className="fact-list">
              {facts.map(([name, value]) => (
                <Fragment key={name}>
                  <dt>{t(`artifacts.configFields.${name}`)}</dt>
                  <dd className="mono">{value}</dd>
                </Fragment>
              ))}
            </dl>
          </Card>
        )}
        {environment.length > 0 && (
          <Card title={t('artifacts.environment')}>
            <Source text={environment.join('\n')} />
          </Card>
        )}
        {labels.length > 0 && (
          <Card title={t('artifacts.labels')}>
            <dl className="fact-list">
              {labels.map(([name, value]) => (
                <Fragment key={name}>
                  <dt className="mono">{name}</dt>
                  <dd className="mono">{value}</dd>
                </Fragment>
              ))}
            </dl>
          </Card>
        )}
      </div>
      <Card title="JSON">
        <Source text={indented(data.config)} />
      </Card>
    </div>
  )
}

function indented(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2)
  } catch {
    return json
  }
}
