import type { Texts } from '../en.ts'

export const system: Pick<Texts, 'jobs' | 'audit' | 'api'> = {
  jobs: {
    anyState: '全部状态',
    attempts: '尝试次数',
    cancel: '取消',
    ending: '正在结束……',
    job: '任务',
    none: '没有任务。',
    retry: '重试',
    state: '状态',
    states: {
      queued: '排队中',
      running: '运行中',
      done: '已完成',
      failed: '失败',
      cancelled: '已取消',
    },
    took: '耗时',
  },
  audit: {
    account: '操作人',
    action: '操作',
    actionHint: '操作，例如 tag.delete',
    address: '来源地址',
    anybody: '所有人',
    export: '导出 CSV',
    exported_one: '{{count}} 条……',
    exported_other: '{{count}} 条……',
    none: '还没有任何变更。',
    resource: '对象',
    time: '时间',
  },
  api: {
    answer: '响应',
    body: '请求体',
    intro: '控制台的所有操作都通过这些接口完成。文档：',
    parameters: '参数',
  },
}
