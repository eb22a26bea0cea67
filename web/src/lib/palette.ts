/** Reads the three colour tables of a PALETTE COLOR image (PS3.3 C.7.6.3.1.5, C.7.9.2). */
import { type Attributes, bytes, numbers, words } from './attributes';
import { expandSegments } from './segments';

const CHANNELS = [
  { descriptor: '00281101', data: '00281201', segmented: '00281221' },
  { descriptor: '00281102', data: '00281202', segmented: '00281222' },
  { descriptor: '00281103', data: '00281203', segmented: '00281223' },
] as const;

export interface Palette {
  first: number;
  /** 8-bit entries of red, green, blue */
  channels: readonly [Uint8Array, Uint8Array, Uint8Array];
}

/** Undefined when a table is missing or malformed: then the frame counts as failed. */
export function readPalette(attributes: Attributes, signed: boolean): Palette | undefined {
  const [red, green, blue] = CHANNELS.map((tags) => readChannel(attributes, tags));
  if (!red || !green || !blue) return undefined;
  const start = numbers(attributes, CHANNELS[0].descriptor)[1] ?? 0;
  return { first: signed && start > 32767 ? start - 65536 : start, channels: [red, green, blue] };
}

function readChannel(attributes: Attributes, tags: (typeof CHANNELS)[number]): Uint8Array | undefined {
  const [declared, , bits] = numbers(attributes, tags.descriptor);
  if (declared === undefined || bits === undefined) return undefined;
  const count = declared === 0 ? 65536 : declared;
  const plain = bytes(attributes, tags.data);
  if (plain && bits === 8 && plain.length < 2 * count) return plain.slice(0, count);
  const list = words(attributes, tags.data);
  if (list) return toEight(list.subarray(0, count));
  const packed = bytes(attributes, tags.segmented);
  if (!packed) return undefined;
  const expanded = expandSegments(packed, bits === 8 ? 1 : 2, count);
  return expanded && toEight(expanded);
}

/** 16-bit entries keep their high byte; a table whose entries all fit in 8 bits is one of 8-bit entries in words. */
function toEight(entries: Uint16Array): Uint8Array {
  let top = 0;
  for (const entry of entries) if (entry > top) top = entry;
  return Uint8Array.from(entries, top > 255 ? (entry) => entry >> 8 : (entry) => entry);
}
