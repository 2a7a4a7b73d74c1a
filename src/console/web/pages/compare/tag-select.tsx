import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Select } from 'antd'
import { useState } from 'react'
import { get } from '../../api/client.ts'
import type { ListedTag, Page } from '../../api/types.ts'
import { type RepositoryAddress, repositoryPath } from '../repository/use-repository.ts'

const SHOWN = 30

/** One of the tags of a repository, of which there may be very many. */
export function TagSelect(props: {
  address: RepositoryAddress
  label: string
  value: string | undefined
  onChange: (tag: string) => void
}) {
  const { address, label, value, onChange } = props
  const [text, setText] = useState('')
  const url = `${repositoryPath(address)}/tags`
  const query = { nameHas: text, sort: 'newest', accessories: false, limit: SHOWN }
  const { data, isFetching } = useQuery({
    queryKey: [url, query],
    queryFn: ({ signal }) => get<Page<ListedTag>>(url, query, signal),
    placeholderData: keepPreviousData,
  })
  return (
    <Select
      showSearch={{ filterOption: false, onSearch: setText }}
      value={value ?? null}
      placeholder={label}
      aria-label={label}
      loading={isFetching}
      style={{ width: '100%' }}
      options={data?.items.map(({ name }) => ({ value: name, label: name })) ?? []}
      onChange={(tag) => tag !== null && onChange(tag)}
    />
  )
}
