/** The appliance's answers by name; field by field they are generated from its OpenAPI schema. */
import type { components } from './schema';

type Schemas = components['schemas'];

export type Status = Schemas['Status'];
export type Session = Schemas['Session'];
export type AuditHead = Schemas['AuditHead'];
export type Opening = Schemas['Opening'];
export type StudySearch = Schemas['Search'];
export type Study = Schemas['Study'];
export type Missing = Schemas['Missing'];
export type SeriesSummary = Schemas['Series'];
export type Place = Schemas['Place'];
export type Device = Schemas['Device'];
export type Handed = Schemas['Handed'];
export type Invitation = Partial<Schemas['Invitation']> & Pick<Schemas['Invitation'], 'name' | 'kind'>;
export type DeviceAct = Schemas['Act']['act'];
export type Somebody = Schemas['Somebody'];
export type Equipment = Schemas['Equipment'];
export type Decision = Partial<Schemas['Decision']> & Pick<Schemas['Decision'], 'address' | 'decision'>;
export type WayIn = Schemas['WayIn'];
export type Recovery = Schemas['Recovery'];
