import { type QueryKey, useMutation, useQueryClient } from '@tanstack/react-query'
import { App } from 'antd'
import { createElement } from 'react'
import { Explanation, useSay } from './error-view.tsx'
import { renew } from './renew.ts'

const EVERYTHING: QueryKey[] = [[]]

/** Something that is being done, as those see it who show how it goes. */
export interface Doing<Input> {
  isPending: boolean
  error: Error | null
  mutate(input: Input): void
  /** Forgets how it went. */
  reset(): void
}

/**
 * Something that a person does: while it runs `isPending` is true, afterwards what it concerns is
 * read again, and a failure is told with the server's sentence.
 */
export function useAct<Input = void, Result = unknown>(options: {
  act: (input: Input) => Promise<Result>
  /** Said when it is done. */
  done?: string
  /** Beginnings of the keys that are read again then, if shown; everything when left out. */
  renews?: QueryKey[]
  onDone?: (result: Result, input: Input) => void
  /** The form shows failures itself. */
  quiet?: boolean
}) {
  const { act, done, renews, onDone, quiet = false } = options
  const { message, notification } = App.useApp()
  const say = useSay()
  const queries = useQueryClient()
  return useMutation({
    mutationFn: act,
    onSuccess: async (result, input) => {
      if (done) void message.success(done)
      onDone?.(result, input)
      await renew(queries, renews ?? EVERYTHING)
    },
    onError: (error) => {
      if (quiet) return
      const said = say(error)
      const description = createElement(Explanation, { said })
      notification.error({ title: said.title, description, duration: 8 })
    },
  })
}
