/**
 * Does the same with each of many things, `few` at a time, in their order.
 * @param work is to tell itself of what fails: what it throws ends all
 */
export async function fewAtATime<T>(
  items: readonly T[],
  few: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items.values()
  const worker = async () => {
    for (const item of left) await work(item)
  }
  await Promise.all(Array.from({ length: few }, worker))
}
