import { Skeleton } from 'antd'
import { ErrorView } from './error-view.tsx'

/** In place of a page while what it is about is being read, or when it cannot be. */
export function NotReadYet({ error, refetch }: { error: unknown; refetch: () => unknown }) {
  return (
    <div className="page">
      {error ? <ErrorView error={error} onRetry={() => void refetch()} /> : <Skeleton active />}
    </div>
  )
}
