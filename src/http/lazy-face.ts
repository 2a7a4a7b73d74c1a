import type { Face } from './context.ts'

/**
 * A face that is loaded when the first request for it comes: its schemas and documents are most of
 * what a process would hold that serves only images.
 */
export function lazyFace(load: () => Promise<Face>): Face {
  let loading: Promise<Face> | undefined
  let face: Face | undefined
  return {
    async handle(context) {
      loading ??= load()
      face = await loading
      return face.handle(context)
    },
    renderError: (error, context) =>
      face?.renderError(error, context) ?? new Response('not available\n', { status: 503 }),
    stop: () => face?.stop?.(),
  }
}
