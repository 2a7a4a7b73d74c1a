import { SearchOutlined } from '@ant-design/icons'
import { Input } from 'antd'
import { useEffect, useState } from 'react'

const PAUSE_MS = 300

/** Asks once the typing pauses. */
export function SearchBox(props: {
  value: string | undefined
  label: string
  /** The page is for nothing else. */
  autoFocus?: boolean
  onSearch: (text: string | undefined) => void
}) {
  const { value = '', label, autoFocus = false, onSearch } = props
  const [text, setText] = useState(value)
  useEffect(() => setText(value), [value])
  useEffect(() => {
    if (text === value) return
    const timer = setTimeout(() => onSearch(text || undefined), PAUSE_MS)
    return () => clearTimeout(timer)
  }, [text, value, onSearch])
  return (
    <Input
      allowClear
      prefix={<SearchOutlined />}
      placeholder={label}
      aria-label={label}
      autoFocus={autoFocus}
      maxLength={255}
      value={text}
      onChange={(event) => setText(event.target.value)}
      className="search-box"
    />
  )
}
