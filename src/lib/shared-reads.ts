/**
 * Reads once for all who ask for the same at the same time, as hundreds of machines do that begin
 * to pull one image.
 *
 * Whoever comes while a read is under way waits for the next one: what was begun before may be
 * older than a change that the caller knows of. So an answer is never older than its question, and
 * at most one read of each key runs.
 */
export function shareReads<V, R>(
  keyOf: (asked: V) => string,
  read: (asked: V) => Promise<R>,
): (asked: V) => Promise<R> {
  const running = new Map<string, Turn<R>>()

  function begin(key: string, asked: V): Promise<R> {
    const answer = read(asked)
    const turn: Turn<R> = { ended: answer.then(end, end), next: undefined }
    running.set(key, turn)
    return answer

    function end(): void {
      if (!turn.next) running.delete(key)
    }
  }

  return (asked) => {
    const key = keyOf(asked)
    const turn = running.get(key)
    if (!turn) return begin(key, asked)
    turn.next ??= turn.ended.then(() => begin(key, asked))
    return turn.next
  }
}

interface Turn<R> {
  ended: Promise<void>
  next: Promise<R> | undefined
}
