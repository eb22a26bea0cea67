/** The everyday name of a modality code, or the code itself when there is none. */
import { m } from './paraglide/messages';

const NAMES: Readonly<Record<string, () => string>> = {
  CT: m.modality_CT, MR: m.modality_MR, US: m.modality_US, CR: m.modality_CR, DX: m.modality_DX, PX: m.modality_PX,
  IO: m.modality_IO, MG: m.modality_MG, XA: m.modality_XA, RF: m.modality_RF, NM: m.modality_NM, PT: m.modality_PT,
  OT: m.modality_OT, SC: m.modality_SC, ES: m.modality_ES, XC: m.modality_XC, OP: m.modality_OP, SR: m.modality_SR,
  DOC: m.modality_DOC,
};

export const MODALITIES = ['CR', 'CT', 'DX', 'ES', 'IO', 'MG', 'MR', 'NM', 'OP', 'OT', 'PT', 'PX', 'RF', 'SC', 'SR', 'US', 'XA', 'XC'] as const;

export function modalityName(code: string): string {
  return NAMES[code]?.() ?? code;
}
