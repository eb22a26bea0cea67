/** The window for an image that brings none: what is there, from its darkest to its brightest value. */
import { type Attributes, number } from './attributes';
import { type Frame, storedValue } from './frame';
import { type Modality, applyModality } from './modality';
import { type Window, windowOfRange } from './voi';

const BITS_STORED = '00280101';
const PADDING = '00280120';
const PADDING_LIMIT = '00280121';

/**
 * Eight bits or fewer: the whole range the bits can hold, so that pictures made for a screen are left as they are.
 * More: the smallest to the largest value of this frame, pixel padding left out. Colour: the whole range.
 */
export function fullRange(attributes: Attributes, frame: Frame, modality: Modality): Window {
  const { layout, pixels } = frame;
  const stored = Math.min(number(attributes, BITS_STORED) ?? layout.bits, layout.bits);
  if (layout.samples === 3) return windowOfRange(0, 2 ** (layout.bits === 8 ? 8 : stored) - 1);
  if (stored <= 8) {
    const low = layout.signed ? -(2 ** (stored - 1)) : 0;
    const high = low + 2 ** stored - 1;
    return ordered(applyModality(modality, low), applyModality(modality, high));
  }
  const padded = paddingTest(attributes, layout.bits, layout.signed);
  let low = Infinity;
  let high = -Infinity;
  for (const pattern of pixels) {
    const value = storedValue(layout, pattern);
    if (value >= low && value <= high) continue;
    if (padded(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return windowOfRange(0, 1);
  if (modality.kind === 'rescale') return ordered(applyModality(modality, low), applyModality(modality, high));
  let from = Infinity;
  let to = -Infinity;
  for (let value = low; value <= high && value - low < 65536; value++) {
    const y = applyModality(modality, value);
    from = Math.min(from, y);
    to = Math.max(to, y);
  }
  return windowOfRange(from, to);
}

function ordered(a: number, b: number): Window {
  return windowOfRange(Math.min(a, b), Math.max(a, b));
}

/** PixelPaddingValue may be written as US where the pixels are signed (PS3.3 C.7.5.1.1.2). */
function paddingTest(attributes: Attributes, bits: number, signed: boolean): (value: number) => boolean {
  const read = (tag: string) => {
    const value = number(attributes, tag);
    return value !== undefined && signed && value >= 2 ** (bits - 1) ? value - 2 ** bits : value;
  };
  const one = read(PADDING);
  if (one === undefined) return () => false;
  const other = read(PADDING_LIMIT) ?? one;
  const low = Math.min(one, other);
  const high = Math.max(one, other);
  return (value) => value >= low && value <= high;
}
