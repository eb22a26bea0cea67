import { describe, expect, it } from 'vitest';
import type { Attributes } from '../src/lib/attributes';
import { displayTable } from '../src/lib/displayTable';
import type { Frame } from '../src/lib/frame';
import { gradingOf } from '../src/lib/grading';
import { readPalette } from '../src/lib/palette';
import { expandSegments } from '../src/lib/segments';

const inline = (...bytes: number[]) => ({ vr: 'OW', InlineBinary: btoa(String.fromCharCode(...bytes)) });

function palette(descriptor: number[], red: number[], green = red, blue = red, segmented = false): Attributes {
  const [r, g, b] = segmented ? ['00281221', '00281222', '00281223'] : ['00281201', '00281202', '00281203'];
  const us = { vr: 'US', Value: descriptor };
  return { '00281101': us, '00281102': us, '00281103': us, [r as string]: inline(...red), [g as string]: inline(...green), [b as string]: inline(...blue) };
}

describe('palette tables', () => {
  it('16-bit entries keep their high byte', () => {
    expect([...(readPalette(palette([2, 0, 16], [0x34, 0x12, 0xff, 0xff]), false)?.channels[0] ?? [])]).toEqual([0x12, 0xff]);
  });
  it('8-bit entries may be packed, or lie in words', () => {
    expect([...(readPalette(palette([2, 0, 8], [7, 200]), false)?.channels[1] ?? [])]).toEqual([7, 200]);
    expect([...(readPalette(palette([2, 0, 8], [7, 0, 200, 0]), false)?.channels[1] ?? [])]).toEqual([7, 200]);
  });
  it('values before and after the table take its ends, and the first value may be negative', () => {
    const attributes = palette([2, 65535, 8], [10, 20], [30, 40], [50, 60]);
    const frame: Frame = { layout: { rows: 1, columns: 1, samples: 1, bits: 16, signed: true, photometric: 'PALETTE COLOR' }, pixels: Uint16Array.of(0) };
    const { levels } = displayTable(frame.layout, gradingOf(attributes, frame, 1, { kind: 'file', choice: 0 }, false));
    const colour = (value: number) => [...levels.subarray(3 * (value & 0xffff), 3 * (value & 0xffff) + 3)];
    expect(colour(-5)).toEqual([10, 30, 50]);
    expect(colour(-1)).toEqual([10, 30, 50]);
    expect(colour(0)).toEqual([20, 40, 60]);
    expect(colour(900)).toEqual([20, 40, 60]);
  });
});

describe('segmented palettes', () => {
  it('discrete and linear segments', () => {
    expect([...(expandSegments(Uint8Array.of(0, 1, 10, 1, 4, 50), 1, 5) ?? [])]).toEqual([10, 20, 30, 40, 50]);
  });
  it('indirect segments copy from a byte offset', () => {
    expect([...(expandSegments(Uint8Array.of(0, 2, 1, 9, 2, 1, 0, 0, 0, 0), 1, 4) ?? [])]).toEqual([1, 9, 1, 9]);
  });
  it('words work alike', () => {
    expect([...(expandSegments(Uint8Array.of(0, 0, 1, 0, 0, 1, 1, 0, 2, 0, 0, 3), 2, 3) ?? [])]).toEqual([256, 512, 768]);
  });
  it.each([
    ['cut off', [0, 5, 1]],
    ['a line without a beginning', [1, 3, 9]],
    ['an unknown opcode', [7, 1, 1]],
    ['an indirect segment that points at itself', [0, 1, 1, 2, 1, 3, 0, 0, 0]],
    ['too short for the count', [0, 1, 1]],
  ])('%s is refused', (_, data) => {
    expect(expandSegments(Uint8Array.from(data), 1, 9)).toBeUndefined();
  });
});
