/** Marks from 0 up to at least `most`, at most five, at values that people like to read. */
export function marksUpTo(most: number, unit: 'bytes' | 'count'): number[] {
  const step = unit === 'bytes' ? binaryStep(most / 4) : decimalStep(most / 4)
  const count = Math.max(1, Math.ceil(most / step))
  return Array.from({ length: count + 1 }, (_, i) => i * step)
}

/** 1, 2 or 5 times a power of ten. */
function decimalStep(least: number): number {
  if (least <= 1) return 1
  const power = 10 ** Math.floor(Math.log10(least))
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10)
}

/** 1, 2, 5, 10 … 500 of a binary unit. */
function binaryStep(least: number): number {
  if (least <= 1) return 1
  const unit = 1024 ** Math.floor(Math.log2(least) / 10)
  const amount = least / unit
  return amount > 500 ? unit * 1024 : unit * decimalStep(amount)
}
