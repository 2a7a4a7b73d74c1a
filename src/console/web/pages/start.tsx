import { Link } from '@tanstack/react-router'
import { Card } from 'antd'
import { useTranslation } from 'react-i18next'
import { PageHead } from '../parts/page-head.tsx'
import { Command } from '../parts/values.tsx'
import { useSession } from '../session.ts'

/** The first lines of everybody who comes here, with the real name of this host. */
export function StartPage() {
  const { t } = useTranslation()
  const { account } = useSession()
  const { host, origin } = window.location
  const name = account?.name ?? 'admin'
  const steps = [
    [t('start.login'), `docker login -u ${name} ${host}`],
    [
      t('start.push'),
      `docker tag hello-world ${host}/library/hello && docker push ${host}/library/hello`,
    ],
    [t('start.pull'), `docker pull ${host}/library/hello`],
    [t('start.helm'), `helm push mychart-1.0.0.tgz oci://${host}/library`],
  ] as const

  return (
    <div className="page">
      <PageHead title={t('start.title')}>
        <p className="under-title">{t('start.intro')}</p>
      </PageHead>
      <Card>
        <ol style={{ margin: 0, paddingInlineStart: 20 }}>
          {steps.map(([label, command]) => (
            <li key={label} style={{ marginBottom: 12 }}>
              <p style={{ margin: '0 0 6px' }}>{label}</p>
              <Command text={command} />
            </li>
          ))}
          {account?.admin && (
            <li>
              <p style={{ margin: 0 }}>
                {t('start.registry')} <Link to="/registries/new">{t('hub.add')}</Link>
              </p>
            </li>
          )}
        </ol>
        {origin.startsWith('http:') && !/^(localhost|127\.)/.test(host) && (
          <p className="second">{t('start.insecure', { host })}</p>
        )}
      </Card>
    </div>
  )
}
