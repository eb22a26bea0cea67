/** One decoded frame as the appliance hands it over: stored values, interleaved samples. */

export interface Layout {
  rows: number;
  columns: number;
  samples: 1 | 3;
  bits: 8 | 16 | 32;
  signed: boolean;
  photometric: string;
}

/** `pixels` holds the bit patterns of the stored values, unsigned; `layout.signed` says how to read them. */
export interface Frame {
  layout: Layout;
  pixels: Uint8Array | Uint16Array | Uint32Array;
}

/** The number that a bit pattern stands for (two's complement when signed). */
export function storedValue(layout: Pick<Layout, 'bits' | 'signed'>, pattern: number): number {
  if (!layout.signed) return pattern;
  if (layout.bits === 32) return pattern | 0;
  const half = layout.bits === 8 ? 0x80 : 0x8000;
  return pattern >= half ? pattern - 2 * half : pattern;
}
