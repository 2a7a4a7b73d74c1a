import { SwapOutlined } from '@ant-design/icons'
import { useParams, useSearch } from '@tanstack/react-router'
import { Alert, Button, Card, Empty, Select, Skeleton, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { ErrorView } from '../../parts/error-view.tsx'
import { useFilters } from '../../parts/list.tsx'
import { DigestText, Size, Time } from '../../parts/values.tsx'
import { imageConfigOf, layersOf } from '../artifact/image-config.ts'
import { ArtifactLink } from '../repository/artifact-link.tsx'
import { KindTag } from '../repository/kind-tags.tsx'
import type { RepositoryAddress } from '../repository/use-repository.ts'
import { compareConfigs, compareLayers } from './compare-images.ts'
import { ConfigDifferences } from './config-differences.tsx'
import { LayerDifferences } from './layer-differences.tsx'
import { TagSelect } from './tag-select.tsx'
import { imageOf, type Side, useImageText, useSide } from './use-side.ts'

const ROUTE = '/shell/projects/$project/repositories/$repository/compare'

/** Two tags of a repository, side by side: what changed between them. */
export function ComparePage() {
  const { t } = useTranslation()
  const address = useParams({ from: ROUTE })
  const { left, right, platform } = useSearch({ from: ROUTE })
  const filter = useFilters()
  const one = useSide(address, left)
  const other = useSide(address, right)
  const error = one.error ?? other.error
  return (
    <>
      <div className="compare-sides">
        <div>
          <TagSelect
            address={address}
            label={t('compare.from')}
            value={left}
            onChange={(tag) => void filter({ left: tag })}
          />
          {one.data && <SideFacts address={address} side={one.data} />}
        </div>
        <Button
          icon={<SwapOutlined />}
          aria-label={t('compare.swap')}
          title={t('compare.swap')}
          disabled={left === undefined && right === undefined}
          onClick={() => void filter({ left: right, right: left })}
        />
        <div>
          <TagSelect
            address={address}
            label={t('compare.to')}
            value={right}
            onChange={(tag) => void filter({ right: tag })}
          />
          {other.data && <SideFacts address={address} side={other.data} />}
        </div>
      </div>
      {left === undefined || right === undefined ? (
        <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('compare.choose')} />
      ) : error ? (
        <ErrorView error={error} />
      ) : one.data && other.data ? (
        <Differences address={address} left={one.data} right={other.data} platform={platform} />
      ) : (
        <Skeleton active />
      )}
    </>
  )
}

function SideFacts({ address, side }: { address: RepositoryAddress; side: Side }) {
  const { tag, artifact } = side
  return (
    <p className="compare-facts">
      <KindTag artifact={artifact} />
      <ArtifactLink address={address} digest={tag.digest} tag={tag.name}>
        <Size bytes={artifact.totalSize} />
      </ArtifactLink>
      <DigestText digest={tag.digest} />
      <Time at={tag.updatedAt} />
    </p>
  )
}

interface DifferencesProps {
  address: RepositoryAddress
  left: Side
  right: Side
  platform: string | undefined
}

function Differences({ address, left, right, platform }: DifferencesProps) {
  const { t } = useTranslation()
  const filter = useFilters()
  const all = [...new Set([...left.platforms, ...right.platforms])]
  const shared = all.filter(
    (name) => left.platforms.includes(name) && right.platforms.includes(name),
  )
  const chosen = shared.find((name) => name === platform) ?? shared[0]
  const isIndex = left.artifact.kind === 'index' || right.artifact.kind === 'index'
  if (left.tag.digest === right.tag.digest) {
    return <Alert type="success" showIcon title={t('compare.same')} />
  }
  return (
    <>
      {all.length > 0 && (
        <Card title={t('artifacts.platforms')} style={{ marginBottom: 16 }}>
          <div className="kinds" style={{ gap: 8 }}>
            {all.map((name) => (
              <PlatformTag
                key={name}
                name={name}
                isLeft={left.platforms.includes(name)}
                isRight={right.platforms.includes(name)}
              />
            ))}
          </div>
          {isIndex && shared.length > 1 && (
            <div style={{ marginTop: 12 }}>
              <Select
                value={chosen ?? null}
                aria-label={t('compare.platform')}
                style={{ minWidth: 180 }}
                options={shared.map((name) => ({ value: name, label: name }))}
                onChange={(name) => void filter({ platform: name ?? undefined })}
              />
            </div>
          )}
        </Card>
      )}
      <Images
        address={address}
        left={imageOf(left, chosen)}
        right={imageOf(right, chosen)}
        names={[left.tag.name, right.tag.name]}
      />
    </>
  )
}

function PlatformTag({
  name,
  isLeft,
  isRight,
}: {
  name: string
  isLeft: boolean
  isRight: boolean
}) {
  const { t } = useTranslation()
  if (isLeft && isRight) return <Tag className="mono">{name}</Tag>
  return (
    <Tag className="mono" color={isRight ? 'green' : 'red'}>
      {isRight ? '+' : '−'} {name}{' '}
      <span className="sr-only">{isRight ? t('compare.added') : t('compare.removed')}</span>
    </Tag>
  )
}

interface ImagesProps {
  address: RepositoryAddress
  left: string | undefined
  right: string | undefined
  names: readonly [string, string]
}

function Images({ address, left, right, names }: ImagesProps) {
  const { t } = useTranslation()
  const one = useImageText(address, left)
  const other = useImageText(address, right)
  const error = one.error ?? other.error
  if (left === undefined || right === undefined) {
    return <Alert type="info" showIcon title={t('compare.noPlatform')} />
  }
  if (left === right) return <Alert type="success" showIcon title={t('compare.sameImage')} />
  if (error) return <ErrorView error={error} />
  if (!one.data || !other.data) return <Skeleton active />
  const layers = compareLayers(
    layersOf(one.data.manifest, one.data.config),
    layersOf(other.data.manifest, other.data.config),
  )
  const configs = compareConfigs(imageConfigOf(one.data.config), imageConfigOf(other.data.config))
  return (
    <>
      <LayerDifferences layers={layers} />
      <ConfigDifferences differences={configs} names={names} />
    </>
  )
}
