import { Space, Tag } from 'antd'
import { Fragment, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { Artifact } from '../../api/types.ts'
import { Size, Time } from '../../parts/values.tsx'
import { ArtifactLink } from '../repository/artifact-link.tsx'
import { Platforms } from '../repository/kind-tags.tsx'
import type { RepositoryAddress } from '../repository/use-repository.ts'

export function ArtifactFacts(props: { address: RepositoryAddress; artifact: Artifact }) {
  const { address, artifact } = props
  const { t } = useTranslation()
  const created = artifact.created === null ? Number.NaN : Date.parse(artifact.created)
  const link = (digest: string) => (
    <ArtifactLink key={digest} address={address} digest={digest}>
      <span className="mono">{digest.slice(0, 19)}</span>
    </ArtifactLink>
  )
  const facts: [string, ReactNode][] = [
    [
      t('repositories.tags'),
      <TagNames key="tags" tags={artifact.tags} count={artifact.tagCount} />,
    ],
    [t('common.size'), <Size key="size" bytes={artifact.totalSize} />],
    [t('artifacts.platforms'), <Platforms key="platforms" artifact={artifact} />],
    [
      t('artifacts.pushed'),
      <Fragment key="pushed">
        <Time at={artifact.pushedAt} /> {artifact.pushedBy && `· ${artifact.pushedBy}`}
      </Fragment>,
    ],
    [t('artifacts.pulled'), <Time key="pulled" at={artifact.pulledAt} />],
    ...(Number.isNaN(created)
      ? []
      : ([[t('artifacts.built'), <Time key="built" at={created} />]] as [string, ReactNode][])),
    [
      t('artifacts.mediaType'),
      <span key="type" className="mono">
        {artifact.mediaType}
      </span>,
    ],
    ...(artifact.artifactType && artifact.artifactType !== artifact.configMediaType
      ? ([
          [
            t('artifacts.artifactType'),
            <span key="artifact" className="mono">
              {artifact.artifactType}
            </span>,
          ],
        ] as [string, ReactNode][])
      : []),
    ...(artifact.subject
      ? ([[t('artifacts.subject'), link(artifact.subject)]] as [string, ReactNode][])
      : []),
    ...(artifact.parents.length > 0
      ? ([
          [
            t('artifacts.parents'),
            <Space key="parents" wrap>
              {artifact.parents.map(link)}
            </Space>,
          ],
        ] as [string, ReactNode][])
      : []),
  ]
  const annotations = Object.entries(artifact.annotations ?? {})
  return (
    <>
      <dl className="fact-list">
        {facts.map(([name, value]) => (
          <Fragment key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </Fragment>
        ))}
      </dl>
      {annotations.length > 0 && (
        <>
          <h3 style={{ fontSize: 15, margin: '20px 0 8px' }}>{t('artifacts.annotations')}</h3>
          <dl className="fact-list">
            {annotations.map(([name, value]) => (
              <Fragment key={name}>
                <dt className="mono">{name}</dt>
                <dd className="mono">{value}</dd>
              </Fragment>
            ))}
          </dl>
        </>
      )}
    </>
  )
}

function TagNames({ tags, count }: { tags: string[]; count: number }) {
  const { t } = useTranslation()
  if (tags.length === 0) return t('artifacts.untagged')
  return (
    <Space size={4} wrap>
      {tags.map((tag) => (
        <Tag key={tag}>{tag}</Tag>
      ))}
      {count > tags.length && (
        <span className="cell-note">{t('artifacts.moreTags', { count: count - tags.length })}</span>
      )}
    </Space>
  )
}
