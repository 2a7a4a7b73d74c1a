import type { Insertable, Selectable } from 'kysely'
import type {
  AccessKeyTable,
  AccountTable,
  ApiTokenTable,
  CredentialTable,
  LoginFailureTable,
  MemberTable,
  ProjectTokenTable,
  RefreshTokenTable,
  SeenSignatureTable,
  SessionTable,
  SigningKeyTable,
} from './schema-accounts.ts'
import type {
  ConsumerTable,
  PlaceLeaseTable,
  PlacePoolTable,
  RegistryDefaultTable,
  RegistryProjectTable,
  RegistryTable,
} from './schema-hub.ts'
import type {
  ImageSyncTable,
  RegistryImageTable,
  RegistryRepositoryTable,
  RegistryTagsTable,
} from './schema-inventory.ts'
import type { AuditTable, JobScheduleTable, JobTable, SettingTable } from './schema-jobs.ts'
import type { JournalChangeTable, JournalHeadTable } from './schema-journal.ts'
import type {
  ChartVersionTable,
  ContentBodyTable,
  ContentTable,
  ManifestRefTable,
  ManifestTable,
  ProjectContentTable,
  ProjectTable,
  ProjectUsageTable,
  RepositoryBlobTable,
  RepositoryTable,
  TagHistoryTable,
  TagTable,
  UploadTable,
  UsageDeltaTable,
  UsageTable,
} from './schema-registry.ts'
import type {
  RunnerCredentialTable,
  RunnerEnrolmentTable,
  RunnerTable,
  RunnerTaskTable,
} from './schema-runners.ts'
import type { TransferTable } from './schema-transfers.ts'

/*
 * The rows, as both engines hold them. Times are epoch milliseconds, sizes bytes, booleans 0 or 1,
 * JSON is text. What a row means stands in the file of its domain.
 */

export type { Role } from './schema-accounts.ts'

export interface Schema {
  account: AccountTable
  credential: CredentialTable
  api_token: ApiTokenTable
  refresh_token: RefreshTokenTable
  access_key: AccessKeyTable
  project_token: ProjectTokenTable
  seen_signature: SeenSignatureTable
  session: SessionTable
  signing_key: SigningKeyTable
  login_failure: LoginFailureTable
  member: MemberTable
  project: ProjectTable
  project_usage: ProjectUsageTable
  repository: RepositoryTable
  usage_delta: UsageDeltaTable
  usage: UsageTable
  content: ContentTable
  content_body: ContentBodyTable
  project_content: ProjectContentTable
  repository_blob: RepositoryBlobTable
  manifest: ManifestTable
  manifest_ref: ManifestRefTable
  tag: TagTable
  chart_version: ChartVersionTable
  tag_history: TagHistoryTable
  upload: UploadTable
  place_lease: PlaceLeaseTable
  place_pool: PlacePoolTable
  registry: RegistryTable
  registry_project: RegistryProjectTable
  registry_default: RegistryDefaultTable
  consumer: ConsumerTable
  registry_image: RegistryImageTable
  registry_repository: RegistryRepositoryTable
  registry_tags: RegistryTagsTable
  image_sync: ImageSyncTable
  transfer: TransferTable
  runner: RunnerTable
  runner_credential: RunnerCredentialTable
  runner_enrolment: RunnerEnrolmentTable
  runner_task: RunnerTaskTable
  job: JobTable
  job_schedule: JobScheduleTable
  audit: AuditTable
  setting: SettingTable
  journal_change: JournalChangeTable
  journal_head: JournalHeadTable
}

export type Row<T extends keyof Schema> = Selectable<Schema[T]>
export type NewRow<T extends keyof Schema> = Insertable<Schema[T]>
