import { useTranslation } from 'react-i18next'
import { PageHead } from '../../parts/page-head.tsx'
import { RobotList } from './robot-list.tsx'

/** Robots that work in several projects. */
export function RobotsPage() {
  const { t } = useTranslation()
  return (
    <div className="page">
      <PageHead title={t('nav.robots')}>
        <p className="cell-note">{t('robots.ofSystem')}</p>
      </PageHead>
      <RobotList base="/robots" />
    </div>
  )
}
