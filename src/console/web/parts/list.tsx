import { keepPreviousData, type QueryKey, useQuery } from '@tanstack/react-query'
import { useNavigate, useRouter, useSearch } from '@tanstack/react-router'
import { Button, Empty, Grid, Table, type TableProps } from 'antd'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { get } from '../api/client.ts'
import type { Page } from '../api/types.ts'
import { choiceColumn } from './choice-box.tsx'
import { ErrorView } from './error-view.tsx'
import { refusalOf } from './refusal.ts'
import type { Choice } from './use-chosen.ts'

/** Rows of one page; the next one is asked for by key, so that any page costs the same. */
const PAGE_SIZE = 50

type Query = Record<string, string | number | boolean | undefined>

export interface ListQuery {
  path: string
  query?: Query
  /** Asks again after so many milliseconds. */
  every?: number | undefined
  /** The server gives all of it at once. */
  whole?: boolean
}

/**
 * A page of a list, as the address says: `after` stands in it.
 * @throws what the server says to those who may not see it, in place of the page
 */
export function useList<T>({ path, query = {}, every, whole = false }: ListQuery) {
  const { after } = useSearch({ strict: false }) as { after?: string }
  const asked = whole ? query : { ...query, after, limit: PAGE_SIZE }
  const queryKey: QueryKey = [path, asked]
  const result = useQuery({
    queryKey,
    queryFn: ({ signal }) => get<Page<T>>(path, asked, signal),
    placeholderData: keepPreviousData,
    ...(every === undefined ? {} : { refetchInterval: every }),
  })
  const refused = refusalOf(result)
  if (refused) throw refused
  return result
}

export type ListResult<T> = ReturnType<typeof useList<T>>

/** What is wider than the window scrolls, so those without a mouse must be able to get into it. */
function scrollsByKeyboard(table: { nativeElement: HTMLElement } | null): void {
  table?.nativeElement.querySelector('.ant-table-content')?.setAttribute('tabindex', '0')
}

export interface ListProps<T> {
  list: ListResult<T>
  columns: NonNullable<TableProps<T>['columns']>
  /** What can be done with a row, in the last column; undefined: nothing. */
  actions?: ((row: T) => ReactNode) | undefined
  /** They are small enough to stay in sight on a phone too, where others would hide the row. */
  smallActions?: boolean
  rowKey: (row: T) => string | number
  /** What the table is, for those who do not see it. */
  label: string
  /** Said when there is nothing, and no filter is why. */
  empty: ReactNode
  filtered?: boolean
  expandable?: TableProps<T>['expandable']
  /** Several rows can be chosen; undefined: there is nothing to do with them. */
  choice?: Choice<T> | undefined
}

export function List<T extends object>(props: ListProps<T>) {
  const { list, columns, actions, smallActions = false, rowKey, label, empty } = props
  const { filtered = false, expandable, choice } = props
  const { t } = useTranslation()
  const { data, error, isPending, isPlaceholderData, refetch } = list
  const { md: isWide = false } = Grid.useBreakpoint()
  if (error && !data) return <ErrorView error={error} onRetry={() => void refetch()} />
  return (
    <>
      {error && <ErrorView error={error} onRetry={() => void refetch()} />}
      <Table<T>
        ref={scrollsByKeyboard}
        aria-label={label}
        columns={[
          ...(choice ? [choiceColumn(choice, data?.items ?? [], t('many.chooseAll'))] : []),
          ...columns,
          ...(actions
            ? [
                {
                  title: <span className="sr-only">{t('common.actions')}</span>,
                  key: 'actions',
                  align: 'right' as const,
                  ...(isWide || smallActions ? { fixed: 'right' as const } : {}),
                  render: (_: unknown, row: T) => actions(row),
                },
              ]
            : []),
        ]}
        dataSource={data?.items ?? []}
        rowKey={rowKey}
        loading={isPending || isPlaceholderData}
        pagination={false}
        scroll={{ x: 'max-content' }}
        // Else the table would take a field of that name for rows of its own.
        expandable={{ childrenColumnName: 'no-rows-inside', ...expandable }}
        locale={{
          emptyText: isPending ? (
            <span> </span>
          ) : (
            <Empty
              image={Empty.PRESENTED_IMAGE_SIMPLE}
              description={filtered ? t('common.nothingFound') : empty}
            />
          ),
        }}
      />
      <Pager next={data?.next ?? null} />
    </>
  )
}

function Pager({ next }: { next: string | null }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const router = useRouter()
  const { after } = useSearch({ strict: false }) as { after?: string }
  if (next === null && after === undefined) return null
  const goTo = (position: string | undefined) =>
    navigate({
      to: '.',
      search: (before: Record<string, string | undefined>) => ({ ...before, after: position }),
    } as never)
  return (
    <nav className="pager" aria-label={t('common.pages')}>
      <Button disabled={after === undefined} onClick={() => void goTo(undefined)}>
        {t('common.firstPage')}
      </Button>
      <Button disabled={after === undefined} onClick={() => router.history.back()}>
        {t('common.previousPage')}
      </Button>
      <Button disabled={next === null} onClick={() => next !== null && void goTo(next)}>
        {t('common.nextPage')}
      </Button>
    </nav>
  )
}

/** Sets filters in the address; a list begins anew with each. */
export function useFilters() {
  const navigate = useNavigate()
  return (change: Record<string, string | undefined>) =>
    navigate({
      to: '.',
      replace: true,
      search: (before: Record<string, string | undefined>) => ({
        ...before,
        ...change,
        after: undefined,
      }),
    } as never)
}
