import { AppError } from '../../lib/errors.ts'

/** Words for what an administrator of the installation has to put right, by S3's error code. */
const SENTENCES: Record<string, (bucket: string) => string> = {
  NoSuchBucket: (bucket) =>
    `there is no bucket "${bucket}"; create it, or correct storage.s3.bucket`,
  AccessDenied: (bucket) =>
    `access to the bucket "${bucket}" is denied; the key needs to list, read, write and delete ` +
    'objects and multipart uploads in it',
  InvalidAccessKeyId: () => 'the S3 server does not know the access key id',
  SignatureDoesNotMatch: () =>
    'the S3 server refuses the signature: the secret access key or the region is wrong',
  AuthorizationHeaderMalformed: () =>
    'the S3 server refuses the signature: storage.s3.region is not the one of the bucket',
  PermanentRedirect: (bucket) =>
    `the bucket "${bucket}" is elsewhere: storage.s3.region or storage.s3.endpoint is wrong`,
  RequestTimeTooSkewed: () => 'the clock of this machine differs too much from that of the server',
  CredentialsProviderError: () =>
    'no credentials were found: set storage.s3.accessKeyId and storage.s3.secretAccessKey, or use ' +
    'the variables, files or roles that the AWS tools read',
}

const FULL = ['XMinioStorageFull', 'QuotaExceeded', 'InsufficientStorage', 'XAmzQuotaExceeded']

/**
 * Does something with the bucket and puts its failure into words.
 * @throws AppError storage_full, unavailable; `MissingError` stays as it is
 */
export async function onS3<T>(bucket: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw s3Failure(bucket, error)
  }
}

function s3Failure(bucket: string, error: unknown): unknown {
  if (error instanceof AppError || isMissing(error) || isNoUpload(error)) return error
  const code = codeOfS3(error)
  if (FULL.includes(code) || statusOf(error) === 507) {
    return new AppError(
      'storage_full',
      'the S3 bucket that holds the blobs is full; nothing of this upload was kept',
      {},
      error,
    )
  }
  const known = SENTENCES[code]
  const message = error instanceof Error ? error.message : String(error)
  return new AppError(
    'unavailable',
    known ? known(bucket) : `the S3 storage does not answer as it should (${code}: ${message})`,
    { retryAfter: 5 },
    error,
  )
}

/** There is no such object, or it has none of the bytes asked for. */
export function isMissing(error: unknown): boolean {
  return ['NoSuchKey', 'NotFound', 'InvalidRange'].includes(codeOfS3(error))
}

/** The multipart upload was completed or aborted before. */
export function isNoUpload(error: unknown): boolean {
  return codeOfS3(error) === 'NoSuchUpload'
}

function codeOfS3(error: unknown): string {
  return error instanceof Error ? error.name : ''
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined
  const metadata = error.$metadata
  if (typeof metadata !== 'object' || metadata === null) return undefined
  return 'httpStatusCode' in metadata ? Number(metadata.httpStatusCode) : undefined
}
