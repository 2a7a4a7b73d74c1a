import { Card, Collapse, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormat } from '../../format.ts'
import { inOrder } from '../../parts/in-order.ts'
import { DigestText, Size } from '../../parts/values.tsx'
import type { Layer } from '../artifact/image-config.ts'
import { type LayerComparison, sizeOf } from './compare-images.ts'

/** Real images have at most 127 layers. */
const MOST_SHOWN = 500

export function LayerDifferences({ layers }: { layers: LayerComparison }) {
  const { t } = useTranslation()
  const format = useFormat()
  const { common, removed, added } = layers
  const grown = sizeOf(added) - sizeOf(removed)
  const sign = grown > 0 ? '+' : grown < 0 ? '−' : '±'
  const figures = (some: readonly Layer[]) =>
    t('compare.figures', { count: some.length, size: format.bytes(sizeOf(some)) })
  return (
    <Card
      title={t('artifacts.layers')}
      extra={
        <span className="nowrap">
          {sign}
          <Size bytes={Math.abs(grown)} />
        </span>
      }
      style={{ marginBottom: 16 }}
    >
      {added.length + removed.length === 0 && (
        <p style={{ marginTop: 0 }}>{t('compare.sameLayers')}</p>
      )}
      {removed.length > 0 && (
        <Layers layers={removed} title={t('compare.removed')} note={figures(removed)} color="red" />
      )}
      {added.length > 0 && (
        <Layers layers={added} title={t('compare.added')} note={figures(added)} color="green" />
      )}
      {common.length > 0 && (
        <Collapse
          ghost
          size="small"
          items={[
            {
              key: 'common',
              label: `${t('compare.common')} · ${figures(common)}`,
              children: <Rows layers={common} />,
            },
          ]}
        />
      )}
    </Card>
  )
}

function Layers(props: { layers: Layer[]; title: string; note: string; color: string }) {
  const { layers, title, note, color } = props
  return (
    <section style={{ marginBottom: 12 }}>
      <h3 className="compare-title">
        <Tag color={color}>{title}</Tag> <span className="cell-note">{note}</span>
      </h3>
      <Rows layers={layers} />
    </section>
  )
}

function Rows({ layers }: { layers: Layer[] }) {
  const { t } = useTranslation()
  const rest = layers.length - MOST_SHOWN
  return (
    <>
      {inOrder(layers.slice(0, MOST_SHOWN), ({ digest, size, command, title, mediaType }) => (
        <div className="layer">
          <div>
            <div className="mono">{command ?? title ?? mediaType}</div>
            <DigestText digest={digest} />
          </div>
          <Size bytes={size} />
        </div>
      ))}
      {rest > 0 && <p>{t('artifacts.moreTags', { count: rest })}</p>}
    </>
  )
}
