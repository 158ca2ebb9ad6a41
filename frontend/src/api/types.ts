import type { components } from './schema'

/** Short names of what the service answers with. */
export type Schemas = components['schemas']
export type Task = Schemas['TaskSummary']
export type TaskDetail = Schemas['TaskDetail']
export type Catalogue = Schemas['Catalog']
export type System = Schemas['System']
export type Machine = Schemas['MachineOut']
export type Curves = Schemas['Curves']
export type Dataset = Schemas['DatasetV1']
export type State =
  | 'PENDING' | 'QUEUED' | 'RUNNING' | 'PAUSED' | 'COMPLETED' | 'FAILED' | 'STOPPED'
