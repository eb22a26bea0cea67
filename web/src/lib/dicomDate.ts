/** DICOM dates (YYYYMMDD) and times (HHMMSS) for people to read, and back from a date field. */

/** Empty for what is no date. */
export function formatDate(value: string, locale: string): string {
  const match = /^(\d{4})(\d{2})(\d{2})$/.exec(value);
  if (!match) return '';
  const date = new Date(Date.UTC(Number(match[1]), Number(match[2]) - 1, Number(match[3])));
  if (date.getUTCDate() !== Number(match[3])) return '';
  // In English, figures alone would leave open which of them is the month.
  const month = locale === 'en' ? 'short' : '2-digit';
  return new Intl.DateTimeFormat(locale === 'en' ? 'en-GB' : locale, { day: '2-digit', month, year: 'numeric', timeZone: 'UTC' }).format(date);
}

export function formatTime(value: string): string {
  const match = /^([01]\d|2[0-3])([0-5]\d)/.exec(value);
  return match ? `${match[1]}:${match[2]}` : '';
}

/** "2026-11-03" of a date field gives "20261103"; anything else gives "". */
export function fromField(value: string): string {
  return /^\d{4}-\d{2}-\d{2}$/.test(value) ? value.replaceAll('-', '') : '';
}
