/** Expands a segmented palette table: discrete, linear and indirect segments (PS3.3 C.7.9.2). */

/**
 * `width`: bytes of an entry, 1 or 2 (little endian). Returns exactly `count` entries, or undefined when the segments
 * are malformed. Hostile input cannot grow the result: expansion stops at `count`, and indirect segments do not nest.
 */
export function expandSegments(data: Uint8Array, width: 1 | 2, count: number): Uint16Array | undefined {
  const unit = (at: number) => (width === 1 ? data[at] : data[at + 1] === undefined ? undefined : (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8));
  const out = new Uint16Array(count);
  let filled = 0;
  const segment = (at: number, nested: boolean): number | undefined => {
    const opcode = unit(at);
    const length = unit(at + width);
    if (opcode === undefined || length === undefined) return undefined;
    let next = at + 2 * width;
    if (opcode === 0) {
      for (let i = 0; i < length; i++, next += width) {
        const value = unit(next);
        if (value === undefined) return undefined;
        if (filled < count) out[filled++] = value;
      }
      return next;
    }
    if (opcode === 1) {
      const end = unit(next);
      if (end === undefined || filled === 0) return undefined;
      const begin = out[filled - 1] ?? 0;
      for (let i = 1; i <= length && filled < count; i++) out[filled++] = Math.round(begin + ((end - begin) * i) / length);
      return next + width;
    }
    if (opcode !== 2 || nested) return undefined;
    // An offset takes 32 bits: two 16-bit words, or four single bytes.
    let from = 0;
    for (let i = 0; i < 4; i += width, next += width) from += (unit(next) ?? 0) * 2 ** (8 * i);
    for (let i = 0; i < length && filled < count; i++) {
      const after = segment(from, true);
      if (after === undefined) return undefined;
      from = after;
    }
    return next;
  };
  let at = 0;
  while (filled < count) {
    const next = segment(at, false);
    if (next === undefined) return undefined;
    at = next;
  }
  return out;
}
