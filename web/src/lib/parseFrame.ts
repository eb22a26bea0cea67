/** Judges the head and the bytes of a frame: the result fits together, or an error is thrown. */
import type { Frame, Layout } from './frame';

const LARGEST = 512 * 1024 * 1024;

/** `head` is the JSON of `Negato-Frame`; `data` little endian samples. Throws RangeError when they do not agree. */
export function parseFrame(head: string, data: ArrayBuffer): Frame {
  const layout = parseLayout(head);
  const samples = layout.rows * layout.columns * layout.samples;
  const size = (samples * layout.bits) / 8;
  if (size > LARGEST) throw new RangeError('frame too large');
  if (data.byteLength < size) throw new RangeError('frame shorter than its layout');
  if (layout.bits === 8) return { layout, pixels: new Uint8Array(data, 0, samples) };
  const pixels = layout.bits === 16 ? new Uint16Array(data, 0, samples) : new Uint32Array(data, 0, samples);
  return { layout, pixels };
}

function parseLayout(head: string): Layout {
  const raw: unknown = JSON.parse(head);
  if (!raw || typeof raw !== 'object') throw new RangeError('frame head is no object');
  const { rows, columns, samples, bits, signed, photometric } = raw as Record<string, unknown>;
  if (!isSide(rows) || !isSide(columns)) throw new RangeError('rows or columns');
  if (samples !== 1 && samples !== 3) throw new RangeError('samples');
  if (bits !== 8 && bits !== 16 && bits !== 32) throw new RangeError('bits');
  if (typeof signed !== 'boolean' || typeof photometric !== 'string') throw new RangeError('signed or photometric');
  return { rows, columns, samples, bits, signed, photometric };
}

function isSide(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 65535;
}
