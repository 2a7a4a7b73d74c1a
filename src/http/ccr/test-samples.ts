/*
 * The examples of the CeaKE 5.2.0 document, "镜像仓库 OpenAPI 参考", with the stray commas of the
 * samples mended.
 */

interface Sample {
  section: string
  method: string
  /** Below `/api/ccr/v1.0/instances/ccr-manager`. */
  path: string
  body?: Record<string, unknown>
  answer: Record<string, unknown>
}

const SUCCESS = { code: 'CCR.Success', message: '调用成功', requestId: '' }

export const INDEX_SAMPLE = {
  digest: 'sha256:a2c678b0067fbc276aef3133975ed7383b8ab4bc0fa99cfafbbb6f6021133dab',
  extra_attrs: { architecture: '', author: '', created: '0001-01-01T00:00:00Z', os: '' },
  icon: 'sha256:0048162a053eef4d4ce3fe7518615bef084403614f8bca43b40ae2e762e11e06',
  id: 4,
  labels: '',
  manifest_media_type: 'application/vnd.oci.image.index.v1+json',
  media_type: 'application/vnd.oci.image.index.v1+json',
  project_id: 1,
  pull_time: '0001-01-01 00:00:00',
  push_time: '2023-09-26 19:52:34',
  references: [
    {
      child_digest: 'sha256:5c09dd9f06faaaae76195eedf45bfdff5f1d040c2da5fc000e30f21ff9120af0',
      child_id: 2,
      parent_id: 4,
      platform: { architecture: 'arm64', os: 'linux' },
    },
    {
      child_digest: 'sha256:be4fbf1caec71a534513e2a981b70fa8ab18a0328d03b741bee407049d3d88d0',
      child_id: 3,
      parent_id: 4,
      platform: { architecture: 'amd64', os: 'linux' },
    },
  ],
  repository_id: 2,
  size: 547620,
  tags: [
    {
      artifact_id: 4,
      id: 1,
      immutable: false,
      name: 'v1',
      pull_time: '0001-01-01T00:00:00Z',
      push_time: '2023-09-26T11:52:35.091Z',
      repository_id: 2,
      signed: false,
    },
  ],
  type: 'IMAGE',
}

export const SAMPLES = {
  createProject: {
    section: '1.2',
    method: 'POST',
    path: '/projects',
    body: { isPublic: false, name: 'test04', quota: 102400 },
    answer: { ...SUCCESS, projectId: 6 },
  },
  deleteProject: {
    section: '1.3',
    method: 'DELETE',
    path: '/projects/test04',
    answer: SUCCESS,
  },
  listProjects: {
    section: '1.4',
    method: 'GET',
    path: '/projects?pageNo=1&pageSize=10',
    answer: {
      ...SUCCESS,
      page: 1,
      pageSize: 10,
      projects: [
        {
          createdAt: '2023-09-19 14:18:52',
          id: 1,
          instanceId: 'ccr-manager',
          isPublic: true,
          projectId: 1,
          projectName: 'library',
          quota: -1,
          storageUsed: 5,
          syncFields: '',
          syncStatus: 0,
          syncType: 0,
          tenantId: '1744911969862835907',
          updatedAt: '2023-09-19 14:40:37',
        },
      ],
      total: 1,
    },
  },
  listRepositories: {
    section: '1.5',
    method: 'GET',
    path: '/repositories?pageNo=0&pageSize=10',
    answer: {
      ...SUCCESS,
      data: [
        {
          instanceId: 'ccr-manager',
          projectName: 'test01',
          repositoryName: 'test',
          public: true,
          imageTagCount: 1,
          createdAt: '2023-09-19 14:19:46',
          // Not in the sample, but in the table of its fields.
          detail: '',
        },
      ],
      totalCount: 1,
    },
  },
  createRepository: {
    section: '1.6',
    method: 'POST',
    path: '/projects/library/repositories',
    body: { repositoryName: 'test01' },
    answer: SUCCESS,
  },
  deleteRepository: {
    section: '1.7',
    method: 'DELETE',
    path: '/projects/library/repositories/test01',
    answer: SUCCESS,
  },
  getRepository: {
    section: '1.8',
    method: 'GET',
    path: '/projects/test01/repositories/test',
    answer: {
      ...SUCCESS,
      data: {
        createdAt: '2023-09-19 14:19:46.727 +0800 CST',
        detail: '',
        imageTagCount: 1,
        instanceId: 'ccr-manager',
        projectName: 'test01',
        public: true,
        repositoryName: 'test',
        summary: '',
      },
    },
  },
  listArtifacts: {
    section: '1.9',
    method: 'GET',
    path: '/projects/library/repositories/test/artifacts?page=1&pageSize=10',
    answer: { ...SUCCESS, page: 1, pageSize: 10, total: 1, artifacts: [INDEX_SAMPLE] },
  },
  deleteArtifact: {
    section: '1.10',
    method: 'DELETE',
    // The sample prints the path of 1.7; this is the one of 1.10.3.
    path: '/projects/library/repositories/test/artifacts/{digest}',
    answer: SUCCESS,
  },
  listCharts: {
    section: '1.11',
    method: 'GET',
    path: '/projects/charts?pageNo=1&pageSize=10',
    answer: {
      ...SUCCESS,
      pageNo: 1,
      pageSize: 10,
      total: 1,
      charts: [
        {
          name: 'postgresql',
          total_versions: 1,
          latest_version: '12.2.7',
          project_name: 'library',
          created: '2023-09-20 10:06:51',
          updated: '0001-01-01 00:00:00',
        },
      ],
    },
  },
  deleteChart: {
    section: '1.12',
    method: 'DELETE',
    path: '/projects/library/charts/postgresql/delete',
    answer: SUCCESS,
  },
  resetAccount: {
    section: '1.14',
    method: 'POST',
    path: '/account/reset',
    body: { new_password: 'Admin134', username: 'test' },
    answer: SUCCESS,
  },
} as const satisfies Record<string, Sample>

/** 1.13; its printed answer is an envelope, where only the archive can be meant. */
export const DOWNLOAD_PATH = '/projects/library/charts/postgresql-12.2.7.tgz/download'

/** Names and types of what JSON holds; a list is as its first entry. */
export function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])]
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([name, field]) => [name, shapeOf(field)])
    return Object.fromEntries(entries)
  }
  return Number.isInteger(value) ? 'integer' : typeof value
}

/** The form of a time, a digest or a text: digits stand for any digit, hex for any hex. */
export function formOf(text: unknown): string {
  return String(text)
    .replace(/^sha256:[0-9a-f]{64}$/, 'sha256:…')
    .replace(/\d/g, '9')
}
