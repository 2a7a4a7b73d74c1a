import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { AppError } from '../../lib/errors.ts'
import type { ByteRange } from '../../oci/range.ts'
import type { S3 } from './s3-client.ts'
import { isMissing, isNoUpload, onS3 } from './s3-errors.ts'

/** S3 takes no more in one request. */
const DELETE_BATCH = 1_000

export type S3Body = Uint8Array<ArrayBuffer> | Blob

/**
 * The requests that the store makes, with names under the prefix. Every failure is an AppError
 * `unavailable` or `storage_full`, but for what is missing.
 */
export interface S3Bucket {
  put(name: string, body: S3Body, signal?: AbortSignal): Promise<void>
  /** The answer's body; undefined when there is no such object or it does not have the range. */
  get(name: string, range?: ByteRange): Promise<S3Object | undefined>
  /** Bytes of the object; undefined when there is none. */
  size(name: string): Promise<number | undefined>
  /** None of the names need exist. */
  remove(names: readonly string[]): Promise<void>
  list(start: string): AsyncGenerator<{ name: string; size: number; modifiedAt: number }>
  /** An address at which anybody can read the object for so long. */
  link(name: string, seconds: number): Promise<string>

  begin(name: string): Promise<string>
  hasUpload(upload: S3Upload): Promise<boolean>
  part(upload: S3Upload, number: number, body: S3Body, signal?: AbortSignal): Promise<string>
  /** A part out of an object, copied by the server. */
  copyPart(upload: S3Upload, number: number, from: string, range: ByteRange): Promise<string>
  /** False when the upload is not there: it was completed or aborted before. */
  complete(upload: S3Upload, parts: { number: number; etag: string }[]): Promise<boolean>
  abort(upload: S3Upload): Promise<void>
  uploads(start: string): AsyncGenerator<S3Upload & { startedAt: number }>
}

export interface S3Upload {
  name: string
  id: string
}

export interface S3Object {
  /** Of what is in the body. */
  size: number
  body: ReadableStream<Uint8Array>
}

export function createS3Bucket({ client, publicClient, bucket, prefix, encryption }: S3): S3Bucket {
  const at = (name: string) => ({ Bucket: bucket, Key: prefix + name })
  const of = ({ name, id }: S3Upload) => ({ ...at(name), UploadId: id })
  const nameOf = (key: string) => key.slice(prefix.length)
  const on = <T>(work: () => Promise<T>) => onS3(bucket, work)
  const options = (signal: AbortSignal | undefined) => (signal ? { abortSignal: signal } : {})

  return {
    async put(name, body, signal) {
      const size = body instanceof Blob ? body.size : body.length
      const input = { ...at(name), ...encryption, Body: body, ContentLength: size }
      await on(() => client.send(new PutObjectCommand(input), options(signal)))
    },

    async get(name, range) {
      const Range = range && `bytes=${range.start}-${range.end}`
      try {
        const { Body, ContentLength } = await on(() =>
          client.send(new GetObjectCommand({ ...at(name), ...(Range ? { Range } : {}) })),
        )
        if (!Body || ContentLength === undefined) {
          throw new AppError('unavailable', 'the S3 storage sent an answer without a length')
        }
        return { size: ContentLength, body: Body.transformToWebStream() }
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    },

    async size(name) {
      try {
        const found = await on(() => client.send(new HeadObjectCommand(at(name))))
        return found.ContentLength
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    },

    async remove(names) {
      for (let i = 0; i < names.length; i += DELETE_BATCH) {
        const Objects = names.slice(i, i + DELETE_BATCH).map((name) => ({ Key: prefix + name }))
        const { Errors = [] } = await on(() =>
          client.send(
            new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }),
          ),
        )
        const failed = Errors.find(({ Code }) => Code !== 'NoSuchKey')
        if (!failed) continue
        throw new AppError(
          'unavailable',
          `the S3 storage did not delete ${failed.Key}: ${failed.Code} ${failed.Message}`,
        )
      }
    },

    async *list(start) {
      for (let token: string | undefined; ; ) {
        const input = { Bucket: bucket, Prefix: prefix + start, ContinuationToken: token }
        const page = await on(() => client.send(new ListObjectsV2Command(input)))
        for (const { Key, Size = 0, LastModified } of page.Contents ?? []) {
          if (Key) yield { name: nameOf(Key), size: Size, modifiedAt: LastModified?.getTime() ?? 0 }
        }
        token = page.NextContinuationToken
        if (!page.IsTruncated || token === undefined) return
      }
    },

    link(name, seconds) {
      const input = { ...at(name), ResponseContentType: 'application/octet-stream' }
      return on(() =>
        getSignedUrl(publicClient, new GetObjectCommand(input), { expiresIn: seconds }),
      )
    },

    async begin(name) {
      const { UploadId } = await on(() =>
        client.send(new CreateMultipartUploadCommand({ ...at(name), ...encryption })),
      )
      if (UploadId) return UploadId
      throw new AppError('unavailable', 'the S3 storage began a multipart upload without an id')
    },

    async hasUpload(upload) {
      try {
        await on(() => client.send(new ListPartsCommand({ ...of(upload), MaxParts: 1 })))
        return true
      } catch (error) {
        if (isNoUpload(error)) return false
        throw error
      }
    },

    async part(upload, number, body, signal) {
      const size = body instanceof Blob ? body.size : body.length
      const input = { ...of(upload), PartNumber: number, Body: body, ContentLength: size }
      const { ETag } = await on(() => client.send(new UploadPartCommand(input), options(signal)))
      return demandTag(ETag)
    },

    async copyPart(upload, number, from, { start, end }) {
      const { CopyPartResult } = await on(() =>
        client.send(
          new UploadPartCopyCommand({
            ...of(upload),
            PartNumber: number,
            CopySource: `${bucket}/${prefix}${from}`,
            CopySourceRange: `bytes=${start}-${end}`,
          }),
        ),
      )
      return demandTag(CopyPartResult?.ETag)
    },

    async complete(upload, parts) {
      const Parts = parts.map(({ number, etag }) => ({ PartNumber: number, ETag: etag }))
      try {
        await on(() =>
          client.send(
            new CompleteMultipartUploadCommand({ ...of(upload), MultipartUpload: { Parts } }),
          ),
        )
        return true
      } catch (error) {
        if (isNoUpload(error)) return false
        throw error
      }
    },

    async abort(upload) {
      try {
        await on(() => client.send(new AbortMultipartUploadCommand(of(upload))))
      } catch (error) {
        if (!isNoUpload(error)) throw error
      }
    },

    async *uploads(start) {
      for (let next: { KeyMarker?: string; UploadIdMarker?: string } = {}; ; ) {
        const input = { Bucket: bucket, Prefix: prefix + start, ...next }
        const page = await on(() => client.send(new ListMultipartUploadsCommand(input)))
        for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
          if (!Key || !UploadId) continue
          yield { name: nameOf(Key), id: UploadId, startedAt: Initiated?.getTime() ?? 0 }
        }
        if (!page.IsTruncated || page.NextKeyMarker === undefined) return
        next = { KeyMarker: page.NextKeyMarker }
        if (page.NextUploadIdMarker) next.UploadIdMarker = page.NextUploadIdMarker
      }
    },
  }
}

function demandTag(etag: string | undefined): string {
  if (etag) return etag
  throw new AppError('unavailable', 'the S3 storage took a part without naming its tag')
}
