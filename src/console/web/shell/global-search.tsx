import { SearchOutlined } from '@ant-design/icons'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useLocation, useNavigate } from '@tanstack/react-router'
import { Button, Input, type InputRef } from 'antd'
import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { get } from '../api/client.ts'
import type { Found, Page } from '../api/types.ts'
import { addressOf, fullName } from '../parts/found-link.tsx'

const PAUSE_MS = 200
const SHOWN = 8

/**
 * Finds projects, repositories and charts from every page: "/" leads here, the arrows choose, Enter
 * goes. A combobox as WAI-ARIA describes it, since that of the components is three times as heavy.
 */
export function GlobalSearch() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const { pathname, searchStr } = useLocation()
  const listId = useId()
  const input = useRef<InputRef>(null)
  const [text, setText] = useState('')
  const [open, setOpen] = useState(false)
  const [chosen, setChosen] = useState(-1)
  const asked = usePaused(text.trim())
  const { data } = useQuery({
    queryKey: ['/search', { q: asked, limit: SHOWN }],
    queryFn: ({ signal }) => get<Page<Found>>('/search', { q: asked, limit: SHOWN }, signal),
    enabled: open && asked !== '',
    placeholderData: keepPreviousData,
    staleTime: 10_000,
  })
  useSlashKey(() => input.current?.focus())
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page closes it
  useEffect(() => setOpen(false), [pathname, searchStr])

  const found = open && asked !== '' ? (data?.items ?? []) : []
  // After what was found stands the way to all of it.
  const last = found.length
  const visible = open && text.trim() !== ''

  const leave = () => {
    setOpen(false)
    setChosen(-1)
    input.current?.blur()
  }
  const goTo = (place: number) => {
    const one = found[place]
    leave()
    if (one) {
      setText('')
      void navigate(addressOf(one))
    } else {
      void navigate({ to: '/search', search: { q: text.trim() } })
    }
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') leave()
    if (event.key === 'Enter' && text.trim() !== '') goTo(chosen < 0 ? last : chosen)
    if (!visible || (event.key !== 'ArrowDown' && event.key !== 'ArrowUp')) return
    event.preventDefault()
    const step = event.key === 'ArrowDown' ? 1 : -1
    setChosen(((chosen + step + 1 + last + 2) % (last + 2)) - 1)
  }
  const option = (place: number) => ({
    id: `${listId}-${place}`,
    role: 'option',
    tabIndex: -1,
    'aria-selected': chosen === place,
    className: `search-option${chosen === place ? ' chosen' : ''}`,
    onPointerEnter: () => setChosen(place),
    // Before the box loses the focus, which would close the list.
    onPointerDown: (event: { preventDefault(): void }) => event.preventDefault(),
    onClick: () => goTo(place),
  })
  return (
    <search className="global-search">
      <Input
        ref={input}
        role="combobox"
        aria-label={t('search.hint')}
        aria-expanded={visible}
        aria-controls={listId}
        aria-autocomplete="list"
        {...(visible && chosen >= 0 ? { 'aria-activedescendant': `${listId}-${chosen}` } : {})}
        aria-keyshortcuts="/"
        autoComplete="off"
        prefix={<SearchOutlined />}
        suffix={<kbd className="search-key">/</kbd>}
        placeholder={t('search.hint')}
        value={text}
        maxLength={255}
        onChange={(event) => {
          setText(event.target.value)
          setChosen(-1)
          setOpen(true)
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      <div id={listId} role="listbox" aria-label={t('search.title')} hidden={!visible}>
        {visible && (
          <>
            {found.map((one, place) => (
              <div key={`${one.kind} ${one.id}`} {...option(place)}>
                <span className="search-name">{fullName(one)}</span>
                <span className="cell-note">{t(`search.kinds.${one.kind}`)}</span>
              </div>
            ))}
            <div {...option(last)}>
              <span className="search-name">
                {found.length === 0 && data && asked === text.trim()
                  ? t('search.nothing', { text: asked })
                  : t('search.all')}
              </span>
              <kbd className="search-key">↵</kbd>
            </div>
          </>
        )}
      </div>
    </search>
  )
}

/** Where there is no room for the box: the page has one too. */
export function SearchLink() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  return (
    <Button
      type="text"
      icon={<SearchOutlined />}
      aria-label={t('search.title')}
      onClick={() => void navigate({ to: '/search' })}
    />
  )
}

/** A text once the typing pauses. */
function usePaused(text: string): string {
  const [paused, setPaused] = useState(text)
  useEffect(() => {
    const timer = setTimeout(() => setPaused(text), PAUSE_MS)
    return () => clearTimeout(timer)
  }, [text])
  return paused
}

/** "/" where nothing is being typed, as on many sites with much to look for. */
function useSlashKey(call: () => void): void {
  const latest = useRef(call)
  latest.current = call
  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent) => {
      const { target } = event
      const isTyping =
        target instanceof HTMLElement &&
        (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || isTyping) return
      event.preventDefault()
      latest.current()
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [])
}
