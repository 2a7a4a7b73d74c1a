import { lazy, Suspense, useState } from 'react'

export interface CopySource {
  /** Id, or `self`. */
  registry: string
  repository: string
  /** Tag or digest. */
  reference: string
  /** Of an index; empty: there is nothing to choose. */
  platforms: readonly string[]
}

export interface CopyImageProps {
  open: boolean
  source: CopySource
  onClose: () => void
}

const Form = lazy(async () => ({ default: (await import('./copy-image.tsx')).CopyImage }))

/** The form of a copy, loaded when it is asked for: few of those who look at an image copy it. */
export function CopyImage(props: CopyImageProps) {
  const { open } = props
  const [wasOpen, setWasOpen] = useState(open)
  if (open && !wasOpen) setWasOpen(true)
  return wasOpen ? (
    <Suspense fallback={null}>
      <Form {...props} />
    </Suspense>
  ) : null
}
