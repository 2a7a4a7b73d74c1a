import { z } from 'zod'
import { addressRanges, byteSize, duration, flag, oneOf, origin, text } from './config-values.ts'

/** Where blobs are kept. */
export const storageSchema = z.object({
  driver: oneOf('file', 's3')
    .prefault('file')
    .meta({
      description:
        'Where blobs are kept: as `file`s in the data folder, or in a bucket of an `s3` server. ' +
        'Changing it moves nothing: see `entrepot migrate`.',
    }),
  s3: z.object({
    bucket: text('the name of a bucket').optional().meta({
      description: 'The bucket. It must exist.',
    }),
    prefix: text('a path such as registry or team/registry', /^\/?[\w.-]+(\/[\w.-]+)*\/?$/)
      .optional()
      .meta({
        description: 'Put before the name of every object, so that others can use the bucket too.',
      }),
    region: text('the name of a region').prefault('us-east-1').meta({
      description: 'Region of the bucket. Most servers but AWS take any.',
    }),
    endpoint: origin()
      .optional()
      .meta({
        description:
          'Address of the S3 server, such as `https://s3.example.com`. Without it the one of AWS ' +
          'in the region.',
      }),
    publicEndpoint: origin()
      .optional()
      .meta({
        description:
          'Address of the same server as clients reach it, for redirects, where it is not ' +
          '`storage.s3.endpoint`.',
      }),
    pathStyle: flag()
      .optional()
      .meta({
        description:
          'The bucket stands in the path of addresses (`https://host/bucket/…`) instead of in ' +
          'the name of the host.',
        shownDefault: 'true where `storage.s3.endpoint` is set, else false',
      }),
    caFile: text('the path of a file')
      .optional()
      .meta({
        description:
          'Certificates of the authorities that the S3 server is trusted by, PEM, instead of the ' +
          'usual ones.',
      }),
    accessKeyId: text('an access key id')
      .optional()
      .meta({
        description:
          'Without a key pair here the usual chain of the AWS tools is gone through: variables, ' +
          'files, web identity, the role of the container or machine.',
      }),
    secretAccessKey: text('a secret access key').optional().meta({
      description: 'The secret of `storage.s3.accessKeyId`.',
      secret: true,
    }),
    serverSideEncryption: oneOf('none', 'AES256', 'aws:kms')
      .prefault('none')
      .meta({
        description:
          'What the server is asked to encrypt objects with. `none` leaves it to the settings of ' +
          'the bucket.',
      }),
    kmsKeyId: text('the id of a key').optional().meta({
      description: 'The key for `aws:kms`, where it is not the default one of the account.',
    }),
    redirect: oneOf('always', 'never')
      .prefault('always')
      .meta({
        description:
          '`always` sends clients that pull a blob to a signed address of the bucket. `never` ' +
          'passes blobs through Entrepot, by way of copies on the local disk.',
      }),
    redirectExcept: addressRanges()
      .prefault([])
      .meta({
        description:
          'Addresses or CIDR ranges of clients that cannot reach the bucket: they are served as ' +
          'with `never`.',
      }),
    redirectExpires: duration({ min: '1m', max: '7d' })
      .prefault('20m')
      .meta({
        description:
          'How long a signed address is valid. Whoever has one can use it until then, even when ' +
          'the right to pull was taken away meanwhile.',
      }),
    cacheSize: byteSize({ min: '100MB' })
      .prefault('10GB')
      .meta({
        description:
          'Room for copies of blobs in `cache` in the data folder, for clients that are not sent ' +
          'to the bucket. Those not used for longest make room.',
      }),
  }),
})
