import { useQuery } from '@tanstack/react-query'
import { Select } from 'antd'
import { useState } from 'react'
import { get } from '../../api/client.ts'
import type { ListedProject, Page } from '../../api/types.ts'

/** Projects by what is typed of their names. */
function useProjectOptions() {
  const [text, setText] = useState('')
  const query = { limit: 50, nameHas: text }
  const { data, isFetching } = useQuery({
    queryKey: ['/projects', query],
    queryFn: ({ signal }) => get<Page<ListedProject>>('/projects', query, signal),
  })
  return {
    loading: isFetching,
    showSearch: { filterOption: false, onSearch: setText },
    options: (data?.items ?? []).map(({ name }) => ({ value: name, label: name })),
  }
}

export function ProjectNames(props: {
  id?: string
  value?: string[]
  onChange?: (names: string[]) => void
}) {
  return <Select<string[]> {...props} {...useProjectOptions()} mode="multiple" />
}

/** One project, or none. */
export function ProjectName(props: {
  id?: string
  value?: string | undefined
  /** Where no label of a form says it. */
  label?: string
  placeholder?: string
  onChange?: (name: string | undefined) => void
}) {
  const { value, label, onChange, ...rest } = props
  return (
    <Select<string | null>
      {...rest}
      {...useProjectOptions()}
      allowClear
      value={value ?? null}
      style={{ minWidth: 180 }}
      onChange={(name) => onChange?.(name ?? undefined)}
      {...(label === undefined ? {} : { 'aria-label': label })}
    />
  )
}
