import { Button } from 'antd'
import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useFormat } from '../format.ts'
import { marksUpTo } from './chart-scale.ts'

/*
 * Lines over days, drawn by hand: a library for charts would weigh more than the page. Values can be
 * read with the pointer and the arrow keys, and all of them as a table.
 */

export interface Series {
  key: string
  name: string
  /** One for each day; null: not known. */
  values: readonly (number | null)[]
}

interface DayChartProps {
  title: string
  /** When each day began in UTC, epoch milliseconds, in order. */
  days: readonly number[]
  series: readonly Series[]
  unit: 'bytes' | 'count'
}

const HEIGHT = 200
const DAY_MS = 86_400_000
const EDGE = { top: 8, right: 10, bottom: 24, left: 76 }

export function DayChart(props: DayChartProps) {
  const { title, days, series } = props
  const { t } = useTranslation()
  const [asTable, setAsTable] = useState(false)
  return (
    <figure className="day-chart" aria-label={title}>
      <figcaption>
        <ul>
          {series.map(({ key, name }, i) => (
            <li key={key}>
              <svg width="22" height="10" aria-hidden="true">
                <line x1="1" y1="5" x2="21" y2="5" className={`series series-${i}`} />
              </svg>
              {name}
            </li>
          ))}
        </ul>
        <Button size="small" type="text" onClick={() => setAsTable(!asTable)}>
          {asTable ? t('usage.asChart') : t('usage.asTable')}
        </Button>
      </figcaption>
      {asTable ? <DayTable {...props} /> : <Lines {...props} />}
      {days.length < 2 && !asTable && <p className="cell-note">{t('usage.start')}</p>}
    </figure>
  )
}

function Lines({ title, days, series, unit }: DayChartProps) {
  const format = useFormat()
  const [box, width] = useWidth()
  const [at, setAt] = useState<number>()
  const first = days[0] ?? 0
  const span = Math.max(DAY_MS, (days.at(-1) ?? 0) - first)
  const most = Math.max(1, ...series.flatMap(({ values }) => values.map((value) => value ?? 0)))
  const marks = marksUpTo(most, unit)
  const top = marks.at(-1) ?? 1
  const inner = Math.max(1, width - EDGE.left - EDGE.right)
  const x = (day: number) => EDGE.left + ((day - first) / span) * inner
  const y = (value: number) =>
    HEIGHT - EDGE.bottom - (value / top) * (HEIGHT - EDGE.top - EDGE.bottom)
  const show = (value: number | null) =>
    value === null ? '–' : unit === 'bytes' ? format.bytes(value) : format.number(value)
  const date = (day: number) => format.day(day)

  const onPointerMove = (event: PointerEvent<SVGSVGElement>) => {
    const place = event.clientX - event.currentTarget.getBoundingClientRect().left
    const near = days.map((day, i) => [Math.abs(x(day) - place), i] as const)
    setAt(near.sort(([a], [b]) => a - b)[0]?.[1])
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key]
    if (step === undefined) return
    event.preventDefault()
    setAt(Math.max(0, Math.min(days.length - 1, (at ?? days.length - 1) + step)))
  }
  const shown = at === undefined ? undefined : days[at]
  const values = (place: number) =>
    series.map(({ name, values }) => `${name} ${show(values[place] ?? null)}`).join(', ')
  const summary =
    days.length === 0 ? title : `${title}: ${date(days.at(-1) ?? 0)}, ${values(days.length - 1)}`
  return (
    <div ref={box} className="day-chart-box">
      <svg
        width={width}
        height={HEIGHT}
        role="img"
        aria-label={summary}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: its values are read by arrows
        tabIndex={0}
        onPointerMove={onPointerMove}
        onPointerLeave={() => setAt(undefined)}
        onBlur={() => setAt(undefined)}
        onKeyDown={onKeyDown}
      >
        {marks.map((mark) => (
          <g key={mark}>
            <line
              className="grid"
              x1={EDGE.left}
              x2={width - EDGE.right}
              y1={y(mark)}
              y2={y(mark)}
            />
            <text x={EDGE.left - 8} y={y(mark) + 4} textAnchor="end">
              {show(mark)}
            </text>
          </g>
        ))}
        {datesShown(days, inner).map(([day, anchor]) => (
          <text key={day} x={x(day)} y={HEIGHT - 6} textAnchor={anchor}>
            {date(day)}
          </text>
        ))}
        {shown !== undefined && (
          <line
            className="guide"
            x1={x(shown)}
            x2={x(shown)}
            y1={EDGE.top}
            y2={HEIGHT - EDGE.bottom}
          />
        )}
        {series.map(({ key, values }, i) => {
          const known = days.flatMap((day, place): [number, number][] => {
            const value = values[place]
            return value === null || value === undefined ? [] : [[x(day), y(value)]]
          })
          return (
            <g key={key} className={`series series-${i}`}>
              <polyline points={known.map((point) => point.join(',')).join(' ')} />
              {known.length === 1 &&
                known.map(([cx, cy]) => <circle key={cx} cx={cx} cy={cy} r="3" />)}
            </g>
          )
        })}
        {at !== undefined &&
          shown !== undefined &&
          series.map(({ key, values }, i) => {
            const value = values[at]
            return value === null || value === undefined ? null : (
              <circle
                key={key}
                className={`series series-${i}`}
                cx={x(shown)}
                cy={y(value)}
                r="4"
              />
            )
          })}
      </svg>
      {at !== undefined && shown !== undefined && (
        <div
          className="day-chart-tip"
          role="status"
          style={x(shown) > width / 2 ? { right: width - x(shown) + 10 } : { left: x(shown) + 10 }}
        >
          <strong>{date(shown)}</strong>
          {series.map(({ key, name, values }) => (
            <div key={key}>
              {name} <b>{show(values[at] ?? null)}</b>
            </div>
          ))}
        </div>
      )}
    </div>
  )
}

/** As many dates as have room, the last one always. */
function datesShown(
  days: readonly number[],
  width: number,
): [number, 'start' | 'middle' | 'end'][] {
  const first = days[0]
  const last = days.at(-1)
  if (first === undefined || last === undefined) return []
  if (first === last) return [[first, 'start']]
  const middle = first + Math.round((last - first) / DAY_MS / 2) * DAY_MS
  const between: [number, 'middle'][] =
    width > 380 && last - first > 3 * DAY_MS ? [[middle, 'middle']] : []
  return [[first, 'start'], ...between, [last, 'end']]
}

function DayTable({ title, days, series, unit }: DayChartProps) {
  const { t } = useTranslation()
  const format = useFormat()
  const show = (value: number | null | undefined) =>
    value === null || value === undefined
      ? '–'
      : unit === 'bytes'
        ? format.bytes(value)
        : format.number(value)
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also by keyboard
    <section className="day-chart-table" tabIndex={0} aria-label={title}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t('usage.day')}</th>
            {series.map(({ key, name }) => (
              <th key={key} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {days
            .map((day, i) => (
              <tr key={day}>
                <th scope="row">{format.day(day)}</th>
                {series.map(({ key, values }) => (
                  <td key={key}>{show(values[i])}</td>
                ))}
              </tr>
            ))
            .reverse()}
        </tbody>
      </table>
    </section>
  )
}

/** How wide an element is, also after the window changed. */
function useWidth() {
  const box = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(480)
  useEffect(() => {
    const element = box.current
    if (!element) return
    const observer = new ResizeObserver(() => setWidth(Math.max(240, element.clientWidth)))
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  return [box, width] as const
}
