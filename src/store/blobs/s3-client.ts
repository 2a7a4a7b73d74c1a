import { readFileSync } from 'node:fs'
import {
  type PutObjectCommandInput,
  S3Client,
  type S3ClientConfig,
  type ServerSideEncryption,
} from '@aws-sdk/client-s3'
import type { Config } from '../../lib/config.ts'
import { AppError } from '../../lib/errors.ts'
import { createS3Http } from './s3-http.ts'

export type S3Settings = Config['storage']['s3']

/** A bucket and how to reach it. */
export interface S3 {
  client: S3Client
  /** As clients reach the same bucket, for the addresses that they are sent to. */
  publicClient: S3Client
  bucket: string
  /** Before every key; empty or with a slash at its end. */
  prefix: string
  /** Fields of every request that makes an object. */
  encryption: Pick<PutObjectCommandInput, 'ServerSideEncryption' | 'SSEKMSKeyId'>
}

/** @throws AppError invalid_input */
export function createS3(settings: S3Settings): S3 {
  const { bucket, region, endpoint, publicEndpoint, accessKeyId, secretAccessKey } = settings
  if (bucket === undefined) {
    throw new AppError('invalid_input', 'storage.s3.bucket must be set for the driver s3')
  }
  const config: S3ClientConfig = {
    region,
    forcePathStyle: settings.pathStyle ?? endpoint !== undefined,
    requestHandler: createS3Http({ ca: readCa(settings.caFile) }),
    maxAttempts: 6,
    // The signature covers the SHA-256 of each body, which every server checks; what else the SDK
    // would add by itself is unknown to many of them.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey } }),
  }
  const client = new S3Client(endpoint === undefined ? config : { ...config, endpoint })
  return {
    client,
    publicClient: publicEndpoint
      ? new S3Client({
          ...config,
          endpoint: publicEndpoint,
          credentials: client.config.credentials,
        })
      : client,
    bucket,
    prefix: settings.prefix === undefined ? '' : `${settings.prefix.replaceAll(/^\/|\/$/g, '')}/`,
    encryption: encryptionOf(settings),
  }
}

function encryptionOf({ serverSideEncryption, kmsKeyId }: S3Settings): S3['encryption'] {
  if (serverSideEncryption === 'none') return {}
  const ServerSideEncryption: ServerSideEncryption = serverSideEncryption
  return kmsKeyId === undefined
    ? { ServerSideEncryption }
    : { ServerSideEncryption, SSEKMSKeyId: kmsKeyId }
}

function readCa(path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new AppError('invalid_input', `storage.s3.caFile ${path} cannot be read`, {}, error)
  }
}
