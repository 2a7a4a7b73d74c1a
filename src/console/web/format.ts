import { useMemo } from 'react'
import { type Language, usePreferences } from './preferences.ts'

/* Numbers, sizes and times as the reader writes them. Sizes are binary, as storage is counted. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
]

export interface Format {
  number(value: number): string
  bytes(value: number): string
  /** `3 hr ago`, `yesterday`. */
  ago(at: number): string
  /** To the second, with the zone that it is told in. */
  dateTime(at: number): string
  date(at: number): string
  /** Of a day of UTC, whatever the reader's zone. */
  day(at: number): string
  duration(ms: number): string
}

const tagOf = (language: Language): string => (language === 'zh' ? 'zh-CN' : 'en-GB')

function formatFor(language: Language): Format {
  const tag = tagOf(language)
  const numbers = new Intl.NumberFormat(tag)
  // Long words do not fit into tables, and "last mo" is none: only days have names.
  const counted = new Intl.RelativeTimeFormat(tag, { style: 'short' })
  const named = new Intl.RelativeTimeFormat(tag, { numeric: 'auto', style: 'short' })
  const times = new Intl.DateTimeFormat(tag, { dateStyle: 'medium', timeStyle: 'long' })
  const days = new Intl.DateTimeFormat(tag, { month: 'short', day: 'numeric', timeZone: 'UTC' })
  const dates = new Intl.DateTimeFormat(tag, { dateStyle: 'medium' })

  return {
    number: (value) => numbers.format(value),
    bytes(value) {
      const power = value < 1 ? 0 : Math.min(Math.floor(Math.log2(value) / 10), UNITS.length - 1)
      const amount = value / 1024 ** power
      const digits = power === 0 || amount >= 100 ? 0 : 1
      const shown = new Intl.NumberFormat(tag, { maximumFractionDigits: digits }).format(amount)
      return `${shown} ${UNITS[power]}`
    },
    ago(at) {
      const seconds = (at - Date.now()) / 1000
      const [unit, step] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1]
      const words = unit === 'day' || unit === 'second' ? named : counted
      return words.format(Math.round(seconds / step), unit)
    },
    dateTime: (at) => times.format(at),
    date: (at) => dates.format(at),
    day: (at) => days.format(at),
    duration(ms) {
      const unit = (value: number, name: string) =>
        new Intl.NumberFormat(tag, {
          style: 'unit',
          unit: name,
          unitDisplay: 'short',
          maximumFractionDigits: 1,
        }).format(value)
      if (ms < 1_000) return unit(Math.round(ms), 'millisecond')
      if (ms < 60_000) return unit(ms / 1_000, 'second')
      if (ms < 3_600_000) return unit(ms / 60_000, 'minute')
      return unit(ms / 3_600_000, 'hour')
    },
  }
}

export function useFormat(): Format {
  const { language } = usePreferences()
  return useMemo(() => formatFor(language), [language])
}
