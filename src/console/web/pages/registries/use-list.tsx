import { Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { path } from '../../api/client.ts'
import type { RegistryUse } from '../../api/hub.ts'
import { List, useList } from '../../parts/list.tsx'
import { Time } from '../../parts/values.tsx'

/** Who uses a registry, and who still has the keys of before their last change. */
export function UseList({ id }: { id: string }) {
  const { t } = useTranslation()
  const list = useList<RegistryUse>({ path: path`/registries/${id}/uses`, whole: true })
  return (
    <List
      list={list}
      label={t('hub.uses.title')}
      rowKey={(use) => `${use.kind} ${use.id}`}
      empty={t('hub.uses.none')}
      columns={[
        { title: t('hub.uses.who'), key: 'what', dataIndex: 'what' },
        { title: t('hub.uses.used'), key: 'at', render: (_, use) => <Time at={use.lastUsedAt} /> },
        {
          title: t('hub.uses.keys'),
          key: 'keys',
          render: (_, use) =>
            use.outdated ? (
              <Tag color="orange">{t('hub.uses.outdated')}</Tag>
            ) : (
              <Tag color="green">{t('hub.uses.current')}</Tag>
            ),
        },
      ]}
    />
  )
}
