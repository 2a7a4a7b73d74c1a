import { useParams } from '@tanstack/react-router'
import { Space, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { remove } from '../../api/client.ts'
import type { ListedArtifact } from '../../api/types.ts'
import { List, useList } from '../../parts/list.tsx'
import { Names, RemoveMany } from '../../parts/remove-many.tsx'
import { useChosen } from '../../parts/use-chosen.ts'
import { CopyButton, Size, Time } from '../../parts/values.tsx'
import { artifactPath } from '../artifact/use-artifact.ts'
import { useHasRole } from '../projects/use-project.ts'
import { ArtifactLink } from './artifact-link.tsx'
import { AttachedTags, KindTag, Platforms } from './kind-tags.tsx'
import { repositoryPath } from './use-repository.ts'

const SHOWN_TAGS = 4

/** Every manifest of a repository, with and without a tag, also what is attached to others. */
export function ArtifactsPage() {
  const { t } = useTranslation()
  const address = useParams({ from: '/shell/projects/$project/repositories/$repository/artifacts' })
  const mayDelete = useHasRole(address.project, 'maintainer')
  const base = repositoryPath(address)
  const list = useList<ListedArtifact>({ path: `${base}/artifacts` })
  const choice = useChosen(list, ({ digest }) =>
    t('artifacts.choose', { digest: digest.slice(0, 19) }),
  )
  return (
    <>
      {mayDelete && (
        <div className="filters">
          <RemoveMany
            rows={choice.chosen}
            nameOf={({ digest }) => digest.slice(0, 19)}
            remove={({ digest }) => remove(artifactPath(address, digest))}
            renews={[[base], [`${base}/tags`], [`${base}/artifacts`]]}
            title={(count) => t('artifacts.deleteManyTitle', { count })}
            onDone={() => choice.choose([])}
          >
            {(going) => <Consequences artifacts={going} />}
          </RemoveMany>
        </div>
      )}
      <List
        choice={mayDelete ? choice : undefined}
        list={list}
        label={t('artifacts.all')}
        rowKey={({ id }) => id}
        empty={t('artifacts.none')}
        columns={[
          {
            title: t('artifacts.digest'),
            key: 'digest',
            render: (_, { digest }) => (
              <span className="nowrap mono">
                <ArtifactLink address={address} digest={digest}>
                  {digest.slice(0, 19)}
                </ArtifactLink>
                <CopyButton text={digest} />
              </span>
            ),
          },
          {
            title: t('repositories.tags'),
            key: 'tags',
            responsive: ['sm'],
            render: (_, { tags, tagCount }) =>
              tags.length === 0 ? (
                t('artifacts.untagged')
              ) : (
                // Signatures have names as long as a digest, which would push all else out of sight.
                <Space size={4} wrap style={{ width: 160 }}>
                  {tags.slice(0, SHOWN_TAGS).map((tag) => (
                    <Tag
                      key={tag}
                      title={tag}
                      style={{ maxWidth: 160, overflow: 'hidden', textOverflow: 'ellipsis' }}
                    >
                      {tag}
                    </Tag>
                  ))}
                  {tagCount > SHOWN_TAGS && (
                    <span className="cell-note">
                      {t('artifacts.moreTags', { count: tagCount - SHOWN_TAGS })}
                    </span>
                  )}
                </Space>
              ),
          },
          {
            title: t('artifacts.kind'),
            key: 'kind',
            render: (_, artifact) => (
              <Space size={4} wrap style={{ maxWidth: 180 }}>
                <KindTag artifact={artifact} />
                <AttachedTags artifact={artifact} />
              </Space>
            ),
          },
          {
            title: t('artifacts.platforms'),
            key: 'platforms',
            responsive: ['md'],
            render: (_, artifact) => <Platforms artifact={artifact} />,
          },
          {
            title: t('common.size'),
            key: 'size',
            align: 'right',
            render: (_, artifact) => <Size bytes={artifact.totalSize} />,
          },
          {
            title: t('artifacts.pushed'),
            key: 'pushed',
            render: (_, artifact) => (
              <>
                <Time at={artifact.pushedAt} />
                {artifact.pushedBy && <div className="cell-note">{artifact.pushedBy}</div>}
              </>
            ),
          },
        ]}
      />
    </>
  )
}

function Consequences({ artifacts }: { artifacts: ListedArtifact[] }) {
  const { t } = useTranslation()
  const tags = artifacts.reduce((sum, { tagCount }) => sum + tagCount, 0)
  return (
    <>
      <li>
        {t('artifacts.deleteMany', { count: artifacts.length })}{' '}
        <span className="mono">
          <Names names={artifacts.map(({ digest }) => digest.slice(0, 19))} />
        </span>
      </li>
      {tags > 0 && (
        <li>
          {t('artifacts.deleteTheirTags', { count: tags })}{' '}
          <Names names={artifacts.flatMap((artifact) => artifact.tags)} total={tags} />
        </li>
      )}
      <li>{t('artifacts.partsStay')}</li>
      <li>{t('artifacts.immutableStay')}</li>
      <li>{t('artifacts.deleteBytesOfMany')}</li>
    </>
  )
}
