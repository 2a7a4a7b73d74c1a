import { Skeleton } from 'antd'
import { useTranslation } from 'react-i18next'
import { ErrorView } from '../../parts/error-view.tsx'
import { inOrder } from '../../parts/in-order.ts'
import { DigestText, Size } from '../../parts/values.tsx'
import type { RepositoryAddress } from '../repository/use-repository.ts'
import { layersOf } from './image-config.ts'
import { useManifestText } from './use-artifact.ts'

/** The layers of an image, each with the command that made it. */
export function LayerList({ address, digest }: { address: RepositoryAddress; digest: string }) {
  const { t } = useTranslation()
  const { data, error, refetch } = useManifestText(address, digest)
  if (error) return <ErrorView error={error} onRetry={() => void refetch()} />
  if (!data) return <Skeleton active />
  const layers = layersOf(data.manifest, data.config)
  if (layers.length === 0) return <p>{t('artifacts.noLayers')}</p>
  return (
    <div>
      {inOrder(layers, ({ digest: layer, size, command, title, mediaType }) => (
        <div className="layer">
          <div>
            <div className="mono">{command ?? title ?? mediaType}</div>
            <DigestText digest={layer} />
          </div>
          <Size bytes={size} />
        </div>
      ))}
    </div>
  )
}
