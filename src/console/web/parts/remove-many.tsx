import { type QueryKey, useQueryClient } from '@tanstack/react-query'
import { Alert, Button, Modal } from 'antd'
import { type ReactNode, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ConfirmRemoval } from './confirm-removal.tsx'
import { Explanation, useSay } from './error-view.tsx'
import { fewAtATime } from './few-at-a-time.ts'
import { renew } from './renew.ts'

/** So many requests are under way: browsers and servers have others to serve. */
const AT_ONCE = 4
/** More names than these are counted. */
const SHOWN_NAMES = 10

interface Outcome {
  gone: string[]
  failed: { name: string; error: unknown }[]
}

export interface RemoveManyProps<T> {
  /** What was chosen in a list. */
  rows: readonly T[]
  nameOf: (row: T) => string
  /** Which of them the server would refuse, and why. */
  staying?: { is: (row: T) => boolean; why: string }
  remove: (row: T) => Promise<void>
  /** Beginnings of the keys that are read again. */
  renews: QueryKey[]
  title: (count: number) => string
  /** What will be gone. */
  children: (going: T[]) => ReactNode
  /** Chooses nothing any more. */
  onDone: () => void
}

/** A button for all rows that are chosen; says before what goes, and afterwards what went. */
export function RemoveMany<T>(props: RemoveManyProps<T>) {
  const { rows, nameOf, staying, remove, renews, title, children, onDone } = props
  const { t } = useTranslation()
  const queries = useQueryClient()
  // What was chosen when it was asked: a list that changes meanwhile changes nothing of it.
  const [asked, setAsked] = useState<readonly T[]>([])
  const [open, setOpen] = useState<'question' | 'outcome'>()
  const [done, setDone] = useState<number>()
  const [outcome, setOutcome] = useState<Outcome>({ gone: [], failed: [] })
  const running = useRef(false)
  const isBusy = done !== undefined
  const stay = asked.filter((row) => staying?.is(row))
  const going = asked.filter((row) => !stay.includes(row))

  async function run() {
    // Two keys may come before the page has changed.
    if (running.current) return
    running.current = true
    const gone = new Set<T>()
    const errors = new Map<T, unknown>()
    setDone(0)
    await fewAtATime(going, AT_ONCE, async (row) => {
      try {
        await remove(row)
        gone.add(row)
      } catch (error) {
        errors.set(row, error)
      }
      setDone(gone.size + errors.size)
    })
    setOutcome({
      // In the order of the list, whichever ended first.
      gone: going.filter((row) => gone.has(row)).map(nameOf),
      failed: going
        .filter((row) => errors.has(row))
        .map((row) => ({ name: nameOf(row), error: errors.get(row) })),
    })
    running.current = false
    setDone(undefined)
    setOpen('outcome')
    onDone()
    await renew(queries, renews)
  }

  return (
    <>
      <Button
        danger
        disabled={rows.length === 0}
        onClick={() => {
          setAsked(rows)
          setOpen('question')
        }}
      >
        {rows.length === 0 ? t('many.delete') : t('many.deleteCount', { count: rows.length })}
      </Button>
      <ConfirmRemoval
        open={open === 'question'}
        title={title(going.length)}
        name={going.length === 0 ? undefined : String(going.length)}
        nothing={going.length === 0}
        busy={isBusy}
        error={null}
        onConfirm={() => void run()}
        onClose={() => !isBusy && setOpen(undefined)}
      >
        <ul className="consequences">
          {children(going)}
          {stay.length > 0 && (
            <li>
              {staying?.why} <Names names={stay.map(nameOf)} />
            </li>
          )}
          {going.length > 0 && <li>{t('many.forGood')}</li>}
        </ul>
        {isBusy && <p role="status">{t('many.progress', { done, count: going.length })}</p>}
      </ConfirmRemoval>
      <Modal
        open={open === 'outcome'}
        title={t('many.outcome')}
        footer={
          <Button type="primary" autoFocus onClick={() => setOpen(undefined)}>
            {t('many.close')}
          </Button>
        }
        onCancel={() => setOpen(undefined)}
        // The button that began it chooses nothing now, so it cannot have the focus.
        focusable={{ focusTriggerAfterClose: false }}
        afterClose={() => document.getElementById('content')?.focus()}
        destroyOnHidden
      >
        <Told outcome={outcome} why={staying?.why} stayed={stay.map(nameOf)} />
      </Modal>
    </>
  )
}

function Told(props: { outcome: Outcome; why: string | undefined; stayed: string[] }) {
  const { outcome, why, stayed } = props
  const { gone, failed } = outcome
  const { t } = useTranslation()
  const say = useSay()
  return (
    <div className="told">
      {gone.length > 0 && (
        <Alert
          type="success"
          showIcon
          title={t('many.gone', { count: gone.length })}
          description={<span className="mono broken">{gone.join(', ')}</span>}
        />
      )}
      {failed.length > 0 && (
        <Alert
          type="error"
          showIcon
          title={t('many.failed', { count: failed.length })}
          description={
            <ul className="consequences">
              {failed.map(({ name, error }) => {
                const said = say(error)
                return (
                  <li key={name}>
                    <strong className="mono broken">{name}</strong>: {said.title}
                    <div>
                      <Explanation said={said} />
                    </div>
                  </li>
                )
              })}
            </ul>
          }
        />
      )}
      {stayed.length > 0 && (
        <Alert
          type="warning"
          showIcon
          title={why}
          description={<span className="mono broken">{stayed.join(', ')}</span>}
        />
      )}
    </div>
  )
}

/** The first ones, and how many more; `total` where there are others whose names are not known. */
export function Names({ names, total = names.length }: { names: string[]; total?: number }) {
  const { t } = useTranslation()
  const shown = names.slice(0, SHOWN_NAMES)
  return (
    <>
      <strong className="broken">{shown.join(', ')}</strong>
      {total > shown.length && ` ${t('artifacts.moreTags', { count: total - shown.length })}`}
    </>
  )
}
