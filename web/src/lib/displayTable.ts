/** Turns a grading into a table from bit pattern to screen level, which every painter only looks up. */
import { type Frame, type Layout, storedValue } from './frame';
import type { Grading } from './grading';
import { applyModality } from './modality';
import { applyVoi } from './voi';

/**
 * Because the arithmetic happens here once, in doubles, the WebGL and the Canvas painter agree to the last bit.
 * `levels` holds 256 or 65536 entries of 1 (grey, or each sample of RGB) or 3 (palette) bytes; index = bit pattern.
 */
export interface DisplayTable {
  channels: 1 | 3;
  levels: Uint8Array;
}

export function displayTable(layout: Layout, grading: Grading): DisplayTable {
  const size = layout.bits === 8 ? 256 : 65536;
  if (grading.palette) return paletteTable(layout, grading, size);
  const levels = new Uint8Array(size);
  for (let pattern = 0; pattern < size; pattern++) levels[pattern] = level(grading, storedValue(layout, pattern));
  return { channels: 1, levels };
}

/** The screen level of one stored value: rounded to nearest, then inverted. */
export function level(grading: Grading, stored: number): number {
  const grey = Math.round(applyVoi(grading.voi, applyModality(grading.modality, stored)));
  return grading.inverted ? 255 - grey : grey;
}

function paletteTable(layout: Layout, grading: Grading, size: number): DisplayTable {
  const levels = new Uint8Array(size * 3);
  const palette = grading.palette;
  if (!palette) return { channels: 3, levels };
  const screen = Uint8Array.from({ length: 256 }, (_, entry) => level(grading, entry));
  for (let pattern = 0; pattern < size; pattern++) {
    const stored = storedValue(layout, pattern);
    palette.channels.forEach((channel, i) => {
      const at = Math.min(Math.max(stored - palette.first, 0), channel.length - 1);
      levels[3 * pattern + i] = screen[channel[at] ?? 0] ?? 0;
    });
  }
  return { channels: 3, levels };
}

/** A frame whose values fit a table: 32-bit values are graded one by one into 8 bits, with the table that leaves them. */
export function tabled(frame: Frame, grading: Grading): { frame: Frame; table: DisplayTable } {
  if (frame.layout.bits !== 32) return { frame, table: displayTable(frame.layout, grading) };
  const pixels = new Uint8Array(frame.pixels.length);
  for (let i = 0; i < pixels.length; i++) pixels[i] = level(grading, storedValue(frame.layout, frame.pixels[i] ?? 0));
  const layout: Layout = { ...frame.layout, bits: 8, signed: false };
  return { frame: { layout, pixels }, table: { channels: 1, levels: Uint8Array.from({ length: 256 }, (_, i) => i) } };
}
