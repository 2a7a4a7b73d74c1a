import { z } from 'zod'
import { duration, integer, text } from './config-values.ts'

const OFF = '`0s` for no limit.'

/** Which database, and how PostgreSQL is used. */
export const databaseSchema = z.object({
  url: text('postgres://user:password@host:port/database', /^postgres(ql)?:\/\/[^/]/)
    .optional()
    .meta({
      description:
        'PostgreSQL 14 or newer, `postgres://user:password@host:port/database`. Without it ' +
        'SQLite in the data folder. Changing it moves nothing: see `entrepot migrate`.',
      secret: 'url',
    }),
  poolSize: integer({ min: 2, max: 200 }).prefault(10).meta({
    description: 'Connections to PostgreSQL that each process which serves requests has at most.',
  }),
  jobsPoolSize: integer({ min: 2, max: 200 }).prefault(10).meta({
    description: 'Connections to PostgreSQL that the process for the jobs has at most.',
  }),
  connectTimeout: duration({ min: '1s', max: '1m' }).prefault('5s').meta({
    description:
      'How long making a connection to PostgreSQL may take, before a request is answered with 503.',
  }),
  waitTimeout: duration({ min: '1s', max: '5m' })
    .prefault('30s')
    .meta({
      description:
        'How long a request waits in turn for a connection that others use, before it is answered ' +
        'with 503.',
    }),
  statementTimeout: duration({ min: '0s', max: '1h' })
    .prefault('30s')
    .meta({
      description: `A statement of a request that takes PostgreSQL longer is given up, with 503. ${OFF}`,
    }),
  jobsStatementTimeout: duration({ min: '0s', max: '24h' })
    .prefault('10m')
    .meta({ description: `The same for statements of jobs, which are tried again. ${OFF}` }),
  idleTransactionTimeout: duration({ min: '0s', max: '1h' })
    .prefault('30s')
    .meta({
      description:
        'PostgreSQL undoes a transaction whose process says nothing for this long, since it ' +
        `holds locks that others wait for. ${OFF}`,
    }),
})
