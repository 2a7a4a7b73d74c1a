/** The jobs that there are, by the name of their text; others are shown by their own. */
export const JOB_NAMES = {
  'accounts.sweep': 'accountsSweep',
  'inventory.daily': 'inventoryDaily',
  'inventory.due': 'inventoryDue',
  'inventory.sync': 'inventorySync',
  'jobs.prune': 'jobsPrune',
  'registry.check': 'registryCheck',
  'registry.check-due': 'registryCheckDue',
  'runners.sweep': 'runnersSweep',
  transfer: 'transfer',
  'transfers.sweep': 'transfersSweep',
  'uploads.sweep': 'uploadsSweep',
  'usage.fold': 'usageFold',
  'usage.sample': 'usageSample',
} as const

export const isKnownJob = (name: string): name is keyof typeof JOB_NAMES =>
  Object.hasOwn(JOB_NAMES, name)
