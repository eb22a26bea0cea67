/** The modality transform: stored values to the modality's own unit, Hounsfield for CT (PS3.3 C.11.1). */
import { type Attributes, items, number, text } from './attributes';
import { functionalGroup } from './functionalGroup';
import { type LookupTable, lookUp, readLookupTable } from './lookupTable';

const MODALITY_LUT_SEQUENCE = '00283000';
const INTERCEPT = '00281052';
const SLOPE = '00281053';
const RESCALE_TYPE = '00281054';
const PIXEL_VALUE_TRANSFORMATION = '00289145';

export type Modality = { kind: 'rescale'; slope: number; intercept: number } | { kind: 'table'; table: LookupTable };

/** `frame` counts from 1. Absent attributes give the identity. */
export function modalityOf(attributes: Attributes, frame: number, signed: boolean): Modality {
  const item = items(attributes, MODALITY_LUT_SEQUENCE)[0];
  const table = item && readLookupTable(item, signed);
  if (table) return { kind: 'table', table };
  const group = functionalGroup(attributes, frame, PIXEL_VALUE_TRANSFORMATION);
  const slope = number(group, SLOPE);
  return { kind: 'rescale', slope: slope === undefined || slope === 0 ? 1 : slope, intercept: number(group, INTERCEPT) ?? 0 };
}

export function applyModality(modality: Modality, stored: number): number {
  if (modality.kind === 'table') return lookUp(modality.table, stored);
  return stored * modality.slope + modality.intercept;
}

/** "HU" where the values are Hounsfield units, else nothing. */
export function unitOf(attributes: Attributes, frame: number): string {
  const type = text(functionalGroup(attributes, frame, PIXEL_VALUE_TRANSFORMATION), RESCALE_TYPE);
  if (type === 'HU') return 'HU';
  return type === '' && text(attributes, '00080060') === 'CT' && number(attributes, INTERCEPT) !== undefined ? 'HU' : '';
}
