import { createElement, Fragment, type ReactNode } from 'react'

/** Children whose places never change while they are shown; these need no keys. */
export function inOrder<T>(items: readonly T[], show: (item: T) => ReactNode): ReactNode {
  return createElement(Fragment, null, ...items.map((item) => show(item)))
}
