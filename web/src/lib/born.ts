/** "Né le …", "Née le …": the date of birth as a phrase that agrees with the patient, or nothing. */
import { formatDate } from './dicomDate';
import { m } from './paraglide/messages';

export function born(birthDate: string, sex: string, locale: string): string {
  const date = formatDate(birthDate, locale);
  if (!date) return '';
  const phrase = sex === 'M' ? m.born_m : sex === 'F' ? m.born_f : m.born_o;
  return phrase({ date });
}
