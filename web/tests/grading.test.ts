import { describe, expect, it } from 'vitest';
import type { Attributes } from '../src/lib/attributes';
import { displayTable, tabled } from '../src/lib/displayTable';
import type { Frame, Layout } from '../src/lib/frame';
import { gradingOf } from '../src/lib/grading';
import { paintRgba } from '../src/lib/paintRgba';

const FILE = { kind: 'file', choice: 0 } as const;

function mono(bits: 8 | 16, signed: boolean, values: number[], photometric = 'MONOCHROME2'): Frame {
  const layout: Layout = { rows: 1, columns: values.length, samples: 1, bits, signed, photometric };
  return { layout, pixels: bits === 8 ? Uint8Array.from(values) : Uint16Array.from(values) };
}

function shown(attributes: Attributes, frame: Frame, number = 1, invert = false): number[] {
  const ready = tabled(frame, gradingOf(attributes, frame, number, FILE, invert));
  const { data } = paintRgba(ready.frame, ready.table);
  return Array.from({ length: frame.layout.columns }, (_, i) => data[4 * i] ?? -1);
}

const window = (center: number | string, width: number | string, fn?: string): Attributes => ({
  '00281050': { vr: 'DS', Value: [center] },
  '00281051': { vr: 'DS', Value: [width] },
  ...(fn ? { '00281056': { vr: 'CS', Value: [fn] } } : {}),
});
const rescale = (slope: number, intercept: number): Attributes => ({
  '00281053': { vr: 'DS', Value: [slope] },
  '00281052': { vr: 'DS', Value: [intercept] },
});

describe('what is on screen', () => {
  it('CT: rescaled to Hounsfield, then windowed', () => {
    expect(shown({ ...rescale(1, -1024), ...window('40', '400') }, mono(16, false, [0, 864, 1063, 1064, 1263, 4000]))).toEqual([0, 0, 127, 128, 255, 255]);
  });
  it('signed values are read as signed', () => {
    expect(shown(window(0, 201), mono(16, true, [-101, -50, 0, 99, 200]))).toEqual([0, 64, 128, 254, 255]);
    expect(shown({ ...window(0, 257), '00280101': { Value: [8] } }, mono(8, true, [-128, -1, 0, 127]))).toEqual([0, 127, 128, 255]);
  });
  it('MONOCHROME1 and an INVERSE shape turn once, not twice', () => {
    const inverse: Attributes = { '20500020': { vr: 'CS', Value: ['INVERSE'] } };
    const values = [0, 100, 255];
    expect(shown({}, mono(8, false, values, 'MONOCHROME1'))).toEqual([255, 155, 0]);
    expect(shown(inverse, mono(8, false, values, 'MONOCHROME1'))).toEqual([255, 155, 0]);
    expect(shown(inverse, mono(8, false, values))).toEqual([255, 155, 0]);
    expect(shown({}, mono(8, false, values, 'MONOCHROME1'), 1, true)).toEqual([0, 100, 255]);
  });
  it('a Modality LUT comes before the window', () => {
    const lut: Attributes = {
      '00283000': { vr: 'SQ', Value: [{ '00283002': { vr: 'US', Value: [3, 5, 16] }, '00283006': { vr: 'US', Value: [0, 1000, 500] } }] },
      ...window(500.5, 1001),
    };
    expect(shown(lut, mono(16, false, [0, 5, 6, 7, 99]))).toEqual([0, 0, 255, 128, 128]);
  });
  it('a VOI LUT written as OW bytes wins over a window', () => {
    const bytes = btoa(String.fromCharCode(0, 0, 0xff, 0x0f, 0x00, 0x08));
    const lut: Attributes = {
      '00283010': { vr: 'SQ', Value: [{ '00283002': { vr: 'US', Value: [3, 0, 12] }, '00283006': { vr: 'OW', InlineBinary: bytes } }] },
      ...window(1, 2),
    };
    expect(shown(lut, mono(16, false, [0, 1, 2, 3]))).toEqual([0, 255, 128, 128]);
  });
  it('SIGMOID and LINEAR_EXACT are obeyed', () => {
    expect(shown(window(100, 50, 'SIGMOID'), mono(16, false, [100, 150]))).toEqual([128, 250]);
    expect(shown(window(100, 50, 'LINEAR_EXACT'), mono(16, false, [75, 100, 125, 126]))).toEqual([0, 128, 255, 255]);
  });
  it('per-frame groups give each frame its own window', () => {
    const group = (center: number) => ({ '00289132': { vr: 'SQ', Value: [window(center, 100)] } });
    const enhanced: Attributes = { '52009230': { vr: 'SQ', Value: [group(50), group(500)] } };
    expect(shown(enhanced, mono(16, false, [50]), 1)).toEqual([129]);
    expect(shown(enhanced, mono(16, false, [50]), 2)).toEqual([0]);
  });
  it('without a window, deep images span what is there, padding left out; eight-bit ones stay', () => {
    const padding: Attributes = { '00280101': { Value: [16] }, '00280120': { vr: 'US', Value: [63536] } };
    expect(shown(padding, mono(16, true, [-2000, 100, 200, 300]))).toEqual([0, 0, 128, 255]);
    expect(shown({}, mono(8, false, [10, 20]))).toEqual([10, 20]);
  });
  it('RGB samples pass unchanged, and invert one by one', () => {
    const frame: Frame = { layout: { rows: 1, columns: 1, samples: 3, bits: 8, signed: false, photometric: 'RGB' }, pixels: Uint8Array.of(1, 128, 255) };
    const plain = gradingOf(window(10, 2), frame, 1, FILE, false);
    expect([...paintRgba(frame, displayTable(frame.layout, plain)).data]).toEqual([1, 128, 255, 255]);
    const turned = gradingOf({}, frame, 1, FILE, true);
    expect([...paintRgba(frame, displayTable(frame.layout, turned)).data]).toEqual([254, 127, 0, 255]);
  });
  it('32-bit values are graded one by one', () => {
    const layout: Layout = { rows: 1, columns: 3, samples: 1, bits: 32, signed: false, photometric: 'MONOCHROME2' };
    const frame: Frame = { layout, pixels: Uint32Array.of(0, 2_000_000_000, 4_000_000_000) };
    expect(shown({ '00280101': { Value: [32] } }, frame)).toEqual([0, 128, 255]);
  });
  it('a palette that cannot be read is a failure, not a black image', () => {
    expect(() => gradingOf({}, mono(8, false, [0], 'PALETTE COLOR'), 1, FILE, false)).toThrow(RangeError);
  });
});
