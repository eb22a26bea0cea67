/** Reads a Modality or VOI lookup table from its sequence item (PS3.3 C.11.1.1, C.11.2.1.1). */
import { type Attributes, numbers, text, words } from './attributes';

const DESCRIPTOR = '00283002';
const EXPLANATION = '00283003';
const DATA = '00283006';

export interface LookupTable {
  /** the first input value that has an entry of its own */
  first: number;
  values: Uint16Array;
  /** the largest output the table can express: 2^bits - 1 */
  top: number;
  explanation: string;
}

/** `signed`: the input values may be negative, so a first value written as unsigned 16 bit is read back. */
export function readLookupTable(item: Attributes, signed: boolean): LookupTable | undefined {
  const [count, start, bits] = numbers(item, DESCRIPTOR);
  const values = words(item, DATA);
  if (count === undefined || start === undefined || bits === undefined || !values || values.length === 0) return undefined;
  const length = Math.min(count === 0 ? 65536 : count, values.length);
  const used = values.subarray(0, length);
  let top = 2 ** Math.min(Math.max(bits, 1), 16) - 1;
  for (const value of used) if (value > top) top = value;
  const first = signed && start > 32767 ? start - 65536 : start;
  return { first, values: used, top, explanation: text(item, EXPLANATION) };
}

/** Inputs outside the table take its first or its last entry. */
export function lookUp(table: LookupTable, input: number): number {
  const at = Math.min(Math.max(Math.round(input) - table.first, 0), table.values.length - 1);
  return table.values[at] ?? 0;
}
