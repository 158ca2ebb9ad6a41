import type { components } from './schema'

type Schemas = components['schemas']

/**
 * What the service answers with, under the console's own names. Only this file knows what the
 * OpenAPI document calls them, so that a schema renamed there is one line here.
 */
export type Ancestor = Schemas['Ancestor']
export type Annotation = Schemas['AnnotationShown']
export type Catalog = Schemas['Catalog']
export type Curves = Schemas['Curves']
export type Dataset = Schemas['DatasetV1']
export type SamplesPage = Schemas['SamplesOut']
export type DatasetSplit = Schemas['SplitIn']
export type DatasetStats = Schemas['StatsOut']
export type DatasetVersion = Schemas['VersionOut']
export type Fault = Schemas['FaultOut']
export type Licence = Schemas['Licence']
export type Machine = Schemas['MachineOut']
export type MissingPart = Schemas['MissingPart']
export type Model = Schemas['Model']
export type ModelAnswer = Schemas['Tried']
export type ModelDetail = Schemas['ModelDetail']
export type NewTask = Schemas['NewTask']
export type Preset = Schemas['Preset']
export type RunReport = Schemas['RunReport']
export type RunSamples = Schemas['RunSamples']
export type System = Schemas['System']
export type Task = Schemas['TaskSummary']
export type TaskDetail = Schemas['TaskDetail']
export type TaskPreview = Schemas['Preview']
export type Upload = Schemas['UploadOut']
/** What a task learns. */
export type Kind = NonNullable<Schemas['RunSpec']['kind']>
