import { Link } from '@tanstack/react-router'
import { Table, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import type { RegistryImage } from '../../api/hub.ts'
import { DigestText, Size } from '../../parts/values.tsx'

/** To where it can be looked at and copied; what is gone is nowhere. */
export function ImageName({ image }: { image: RegistryImage }) {
  const { t } = useTranslation()
  const { registry, repository, tag, goneAt, isLatest, children } = image
  const name = `${repository}:${tag}`
  return (
    <div style={{ maxWidth: 380, whiteSpace: 'normal' }}>
      {goneAt === null ? (
        <Link
          to="/registries/$registry"
          params={{ registry: registry.id }}
          search={{ tab: 'browse', repository, reference: tag }}
          className="mono"
        >
          {name}
        </Link>
      ) : (
        <span className="mono">{name}</span>
      )}
      <span className="kinds inline">
        {children.length > 0 && <Tag color="geekblue">{t('inventory.multiArch')}</Tag>}
        {isLatest && <Tag color="blue">{t('inventory.latest')}</Tag>}
      </span>
      <div className="cell-note">{registry.name}</div>
    </div>
  )
}

export function Platforms({ image: { platforms } }: { image: RegistryImage }) {
  if (platforms.length === 0) return '–'
  return (
    <span className="platforms">
      {platforms.map((platform) => (
        <Tag key={platform}>{platform}</Tag>
      ))}
    </span>
  )
}

/** The images of an index, each with the tags that it may have of its own. */
export function ImageParts({ image }: { image: RegistryImage }) {
  const { t } = useTranslation()
  return (
    <Table<RegistryImage['children'][number]>
      size="small"
      aria-label={t('artifacts.parts')}
      pagination={false}
      rowKey={({ digest }) => digest}
      dataSource={image.children}
      scroll={{ x: 'max-content' }}
      columns={[
        { title: t('artifacts.platform'), key: 'platform', dataIndex: 'platform' },
        {
          title: t('artifacts.digest'),
          key: 'digest',
          render: (_, part) => <DigestText digest={part.digest} />,
        },
        {
          title: t('common.size'),
          key: 'size',
          align: 'right',
          render: (_, part) => <Size bytes={part.size} />,
        },
        {
          title: t('inventory.tags'),
          key: 'tags',
          render: (_, part) => (
            <Link to="/inventory" search={{ digest: part.digest }}>
              {t('inventory.sameDigest')}
            </Link>
          ),
        },
      ]}
    />
  )
}
