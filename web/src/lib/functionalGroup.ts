/** Finds the functional group of one frame: per frame first, then shared, then the data set itself (PS3.3 C.7.6.16). */
import { type Attributes, items } from './attributes';

const SHARED = '52009229';
const PER_FRAME = '52009230';

/** `frame` counts from 1; `group` is the tag of the group's sequence. */
export function functionalGroup(attributes: Attributes, frame: number, group: string): Attributes {
  const own = items(attributes, PER_FRAME)[frame - 1];
  const shared = items(attributes, SHARED)[0];
  return (own && items(own, group)[0]) ?? (shared && items(shared, group)[0]) ?? attributes;
}
