import { LockOutlined } from '@ant-design/icons'
import { useParams, useSearch } from '@tanstack/react-router'
import { Select, Space } from 'antd'
import { useTranslation } from 'react-i18next'
import { path, remove } from '../../api/client.ts'
import type { ListedTag } from '../../api/types.ts'
import { List, useFilters, useList } from '../../parts/list.tsx'
import { Names, RemoveMany } from '../../parts/remove-many.tsx'
import { SearchBox } from '../../parts/search-box.tsx'
import { useChosen } from '../../parts/use-chosen.ts'
import { DigestText, Size, Time } from '../../parts/values.tsx'
import { PushHint } from '../projects/push-hint.tsx'
import { useHasRole } from '../projects/use-project.ts'
import { ArtifactLink } from './artifact-link.tsx'
import { AttachedTags, KindTag, Platforms } from './kind-tags.tsx'
import { PartList } from './part-list.tsx'
import { TagActions } from './tag-actions.tsx'
import { repositoryPath } from './use-repository.ts'

const ROUTE = '/shell/projects/$project/repositories/$repository/'

export function TagsPage() {
  const { t } = useTranslation()
  const address = useParams({ from: ROUTE })
  const { name, sort = 'newest' } = useSearch({ from: ROUTE })
  const filter = useFilters()
  const mayDelete = useHasRole(address.project, 'maintainer')
  const base = repositoryPath(address)
  const list = useList<ListedTag>({
    path: `${base}/tags`,
    query: { nameHas: name, sort: sort === 'name' ? 'name' : 'newest', accessories: false },
  })
  const choice = useChosen(list, (tag) => t('tags.choose', { name: tag.name }))
  return (
    <>
      <div className="filters">
        <SearchBox
          value={name}
          label={t('tags.search')}
          onSearch={(text) => void filter({ name: text })}
        />
        <Select
          value={sort}
          aria-label={t('tags.order')}
          style={{ minWidth: 150 }}
          onChange={(value) => void filter({ sort: value === 'newest' ? undefined : value })}
          options={[
            { value: 'newest', label: t('tags.newest') },
            { value: 'name', label: t('tags.byName') },
          ]}
        />
        {mayDelete && (
          <RemoveMany
            rows={choice.chosen}
            nameOf={({ name }) => name}
            staying={{ is: ({ immutable }) => immutable, why: t('tags.immutableStay') }}
            remove={({ name }) => remove(base + path`/tags/${name}`)}
            renews={[[base], [`${base}/tags`], [`${base}/artifacts`]]}
            title={(count) => t('tags.deleteManyTitle', { count })}
            onDone={() => choice.choose([])}
          >
            {(going) =>
              going.length > 0 && (
                <>
                  <li>
                    {t('tags.deleteMany', { count: going.length })}{' '}
                    <Names names={going.map(({ name }) => name)} />
                  </li>
                  <li>{t('tags.artifactsStay')}</li>
                </>
              )
            }
          </RemoveMany>
        )}
      </div>
      <List
        list={list}
        choice={mayDelete ? choice : undefined}
        label={t('repositories.tags')}
        rowKey={({ id }) => id}
        filtered={name !== undefined}
        empty={<PushHint project={address.project} />}
        expandable={{
          expandedRowRender: (tag) => <PartList address={address} artifact={tag.artifact} />,
          rowExpandable: ({ artifact }) => artifact.kind === 'index',
        }}
        columns={[
          {
            title: t('tags.tag'),
            key: 'tag',
            render: (_, tag) => (
              <div className="tag-cell">
                <Space size={6}>
                  <ArtifactLink address={address} digest={tag.digest} tag={tag.name}>
                    <strong>{tag.name}</strong>
                  </ArtifactLink>
                  {tag.immutable && (
                    <LockOutlined
                      role="img"
                      aria-label={t('tags.immutable')}
                      title={t('tags.immutable')}
                    />
                  )}
                </Space>
                <div className="kinds">
                  <KindTag artifact={tag.artifact} />
                  <AttachedTags artifact={tag.artifact} />
                </div>
              </div>
            ),
          },
          {
            title: t('artifacts.platforms'),
            key: 'platforms',
            responsive: ['md'],
            render: (_, { artifact }) => <Platforms artifact={artifact} />,
          },
          {
            title: t('common.size'),
            key: 'size',
            align: 'right',
            render: (_, { artifact }) => <Size bytes={artifact.totalSize} />,
          },
          {
            title: t('artifacts.digest'),
            key: 'digest',
            responsive: ['md'],
            render: (_, tag) => <DigestText digest={tag.digest} />,
          },
          {
            title: t('artifacts.pushed'),
            key: 'pushed',
            responsive: ['sm'],
            render: (_, tag) => (
              <>
                <Time at={tag.updatedAt} />
                {tag.pushedBy && <div className="cell-note">{tag.pushedBy}</div>}
              </>
            ),
          },
          {
            title: t('artifacts.pulled'),
            key: 'pulled',
            responsive: ['md'],
            render: (_, tag) => <Time at={tag.pulledAt} />,
          },
        ]}
        smallActions
        actions={(tag) => <TagActions address={address} tag={tag} />}
      />
    </>
  )
}
