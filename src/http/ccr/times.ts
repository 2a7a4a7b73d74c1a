/*
 * The three ways in which CCR writes times: in the zone of the settings without saying so (lists),
 * as Go prints a time (repository details), and as RFC 3339 in UTC (tags, `extra_attrs`).
 */

/** What never happened: the zero time of Go. */
export const NEVER_RFC3339 = '0001-01-01T00:00:00Z'
const NEVER_LIST = '0001-01-01 00:00:00'

/** Go takes these from tzdata; the runtime knows them as offsets only. */
const ABBREVIATIONS: Record<string, string> = {
  'Asia/Shanghai': 'CST',
  'Asia/Chongqing': 'CST',
  'Asia/Harbin': 'CST',
  'Asia/Macau': 'CST',
  'Asia/Taipei': 'CST',
  'Asia/Hong_Kong': 'HKT',
  'Asia/Tokyo': 'JST',
  'Asia/Seoul': 'KST',
}

/** All take epoch milliseconds; null: never. */
export interface Times {
  /** `2023-09-19 14:19:46` */
  list(at: number | null): string
  /** `2023-09-19 14:19:46.727 +0800 CST` */
  detail(at: number): string
  /** `2023-09-26T11:52:35.091Z` */
  utc(at: number | null): string
}

export function createTimes(timeZone: string): Times {
  const formatter = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
  })

  function partsOf(at: number) {
    const parts = formatter.formatToParts(at).map(({ type, value }) => [type, value] as const)
    const { year, month, day, hour, minute, second, timeZoneName } = Object.fromEntries(parts)
    return { local: `${year}-${month}-${day} ${hour}:${minute}:${second}`, timeZoneName }
  }

  return {
    list: (at) => (at === null ? NEVER_LIST : partsOf(at).local),

    detail(at) {
      const { local, timeZoneName = '' } = partsOf(at)
      const milliseconds = String(((at % 1000) + 1000) % 1000).padStart(3, '0')
      const minutes = Math.round((Date.parse(`${local.replace(' ', 'T')}Z`) - at) / 60_000)
      const offset = offsetText(minutes)
      // Like tzdata, digits where a zone has no letters.
      const digits = offset.endsWith('00') ? offset.slice(0, 3) : offset
      const letters = /^[A-Z]+$/.test(timeZoneName) ? timeZoneName : digits
      const name = minutes === 0 && letters === '+00' ? 'UTC' : letters
      return `${local}.${milliseconds} ${offset} ${ABBREVIATIONS[timeZone] ?? name}`
    },

    utc: (at) => (at === null ? NEVER_RFC3339 : new Date(at).toISOString()),
  }
}

function offsetText(minutes: number): string {
  const size = Math.abs(minutes)
  const digits = [Math.floor(size / 60), size % 60].map((part) => String(part).padStart(2, '0'))
  return `${minutes < 0 ? '-' : '+'}${digits.join('')}`
}
