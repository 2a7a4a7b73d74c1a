import type { QueryKey } from '@tanstack/react-query'
import { useState } from 'react'
import { useAct } from './use-act.ts'

/** Something that is done with one thing of a list, once the reader has confirmed which. */
export function useConfirmed<T, Result = unknown>(options: {
  act: (item: T) => Promise<Result>
  /** Said when it is done. */
  done?: string
  renews: QueryKey[]
  onDone?: (result: Result, item: T) => void
}) {
  const [item, setItem] = useState<T>()
  const { mutate, reset, isPending, error } = useAct({
    ...options,
    quiet: true,
    onDone: (result: Result, of: T) => {
      setItem(undefined)
      options.onDone?.(result, of)
    },
  })
  return {
    /** Which it is about; undefined: none. */
    item,
    ask: (of: T) => setItem(of),
    /** For `ConfirmRemoval`. */
    asking: {
      open: item !== undefined,
      busy: isPending,
      error,
      onConfirm: () => item !== undefined && mutate(item),
      onClose: () => {
        reset()
        setItem(undefined)
      },
    },
  }
}
