/** A DICOM person name as people write it: "DUPONT^Marie^^Dr" gives "DUPONT Marie". */
export function personName(value: string): string {
  const [alphabetic = ''] = value.split('=');
  const [family = '', given = '', middle = ''] = alphabetic.split('^').map((part) => part.trim());
  return [family, given, middle].filter(Boolean).join(' ');
}
