/** The appliance's answers by name; field by field they are generated from its OpenAPI schema. */
import type { components } from './schema';

type Schemas = components['schemas'];

export type Status = Schemas['Status'];
export type Session = Schemas['Session'];
export type AuditHead = Schemas['AuditHead'];
export type Opening = Schemas['Opening'];
export type StudySearch = Schemas['Search'];
export type Study = Schemas['Study'];
export type SeriesSummary = Schemas['Series'];
