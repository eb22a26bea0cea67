/** Characters that turn the direction of what follows (UAX 9): a name could read backwards, or other than it is. */
const DIRECTIONS = /[\u202a-\u202e\u2066-\u2069]/g;

/** A DICOM person name as people write it: "DUPONT^Marie^^Dr" gives "DUPONT Marie". */
export function personName(value: string): string {
  const [alphabetic = ''] = value.replace(DIRECTIONS, '').split('=');
  const [family = '', given = '', middle = ''] = alphabetic.split('^').map((part) => part.trim());
  return [family, given, middle].filter(Boolean).join(' ');
}
