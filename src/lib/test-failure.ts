import { isAppError } from './errors.ts'

/** The `AppError` that `work` fails with, as one object. */
export async function failureOf(work: Promise<unknown>) {
  try {
    await work
  } catch (error) {
    if (isAppError(error)) return { code: error.code, ...error.details, message: error.message }
    throw error
  }
  throw new Error('it did not fail')
}
