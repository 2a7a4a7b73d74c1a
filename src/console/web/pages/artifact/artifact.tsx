import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { Button, Card, Space, Tabs, Tag } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Artifact } from '../../api/types.ts'
import { NotReadYet } from '../../parts/not-read-yet.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { CopyButton } from '../../parts/values.tsx'
import { useSession } from '../../session.ts'
import { useHasRole } from '../projects/use-project.ts'
import { AttachedTags, KindTag } from '../repository/kind-tags.tsx'
import { PartList } from '../repository/part-list.tsx'
import type { RepositoryAddress } from '../repository/use-repository.ts'
import { CopyImage } from '../transfers/copy-image-late.tsx'
import { ArtifactFacts } from './artifact-facts.tsx'
import { ConfigView } from './config-view.tsx'
import { LayerList } from './layer-list.tsx'
import { ManifestView } from './manifest-view.tsx'
import { PullCommands } from './pull-commands.tsx'
import { ReferrerTree } from './referrer-tree.tsx'
import { RemoveArtifact } from './remove-artifact.tsx'
import { TagHistory } from './tag-history.tsx'
import { useArtifact } from './use-artifact.ts'

const ROUTE = '/shell/projects/$project/repositories/$repository/artifacts/$digest'

export function ArtifactPage() {
  const { project, repository, digest } = useParams({ from: ROUTE })
  const address = { project, repository }
  const read = useArtifact(address, digest)
  if (!read.data) return <NotReadYet {...read} />
  return (
    <div className="page">
      <Details address={address} artifact={read.data} />
    </div>
  )
}

function Details({ address, artifact }: { address: RepositoryAddress; artifact: Artifact }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const { tag, tab } = useSearch({ from: ROUTE })
  const mayDelete = useHasRole(address.project, 'maintainer')
  const [removing, setRemoving] = useState(false)
  const [copying, setCopying] = useState(false)
  const isSignedIn = useSession().account !== null
  const shortDigest = artifact.digest.slice(0, 19)
  const isIndex = artifact.kind === 'index'
  const props = { address, digest: artifact.digest }
  const tabs = [
    {
      key: 'about',
      label: t('artifacts.about'),
      children: (
        <div className="columns">
          <Card title={t('artifacts.facts')}>
            <ArtifactFacts address={address} artifact={artifact} />
          </Card>
          <Card title={t('artifacts.pull')}>
            <PullCommands address={address} artifact={artifact} tag={tag} />
          </Card>
        </div>
      ),
    },
    ...(isIndex
      ? [
          {
            key: 'parts',
            label: t('artifacts.parts'),
            children: <PartList address={address} artifact={artifact} />,
          },
        ]
      : [
          {
            key: 'layers',
            label: t('artifacts.layers'),
            children: (
              <Card>
                <LayerList {...props} />
              </Card>
            ),
          },
          { key: 'config', label: t('artifacts.config'), children: <ConfigView {...props} /> },
        ]),
    {
      key: 'referrers',
      label: t('artifacts.referrers'),
      children: (
        <Card>
          <ReferrerTree {...props} />
        </Card>
      ),
    },
    ...(tag === undefined
      ? []
      : [
          {
            key: 'history',
            label: t('tags.history'),
            children: (
              <Card>
                <TagHistory address={address} tag={tag} />
              </Card>
            ),
          },
        ]),
    { key: 'manifest', label: t('artifacts.manifest'), children: <ManifestView {...props} /> },
  ]
  return (
    <>
      <PageHead
        title={`${address.repository}${tag ? `:${tag}` : `@${shortDigest}`}`}
        shown={tag ?? <span className="mono">{shortDigest}</span>}
        path={[
          <Link key="projects" to="/projects">
            {t('nav.projects')}
          </Link>,
          <Link key="project" to="/projects/$project" params={address}>
            {address.project}
          </Link>,
          <Link key="repository" to="/projects/$project/repositories/$repository" params={address}>
            {address.repository}
          </Link>,
        ]}
        actions={
          <Space wrap>
            {isSignedIn && <Button onClick={() => setCopying(true)}>{t('transfers.copy')}</Button>}
            {mayDelete && (
              <Button danger onClick={() => setRemoving(true)}>
                {t('artifacts.delete')}
              </Button>
            )}
          </Space>
        }
      >
        <Space size={6} wrap style={{ marginTop: 6 }}>
          <KindTag artifact={artifact} />
          <AttachedTags artifact={artifact} />
          {artifact.subject && <Tag>{t('artifacts.attachedToOther')}</Tag>}
          <span className="mono">{artifact.digest}</span>
          <CopyButton text={artifact.digest} />
        </Space>
      </PageHead>
      <Tabs
        activeKey={tabs.some(({ key }) => key === tab) ? (tab ?? 'about') : 'about'}
        items={tabs}
        destroyOnHidden
        onChange={(key) =>
          void navigate({
            to: '.',
            replace: true,
            search: { ...(tag === undefined ? {} : { tag }), tab: key },
          })
        }
      />
      <CopyImage
        open={copying}
        source={{
          registry: 'self',
          repository: `${address.project}/${address.repository}`,
          reference: tag ?? artifact.digest,
          platforms: platformsOf(artifact),
        }}
        onClose={() => setCopying(false)}
      />
      <RemoveArtifact
        open={removing}
        address={address}
        digest={artifact.digest}
        onClose={() => setRemoving(false)}
        onDone={() =>
          void navigate({ to: '/projects/$project/repositories/$repository', params: address })
        }
      />
    </>
  )
}

/** Of an index those of its images; attestations run nowhere. */
function platformsOf({ parts }: Artifact): string[] {
  const platforms = parts.flatMap(({ platform, attests }) =>
    platform === null || attests !== null ? [] : [platform],
  )
  return [...new Set(platforms)]
}
