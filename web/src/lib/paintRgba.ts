/** Looks a frame up in its display table, giving RGBA bytes for a 2D canvas. */
import type { DisplayTable } from './displayTable';
import type { Frame } from './frame';

/** Every `step`-th row and column is taken (1 = all); the result is ceil(columns/step) by ceil(rows/step). */
export function paintRgba(frame: Frame, table: DisplayTable, step = 1): { width: number; height: number; data: Uint8ClampedArray<ArrayBuffer> } {
  const { rows, columns, samples } = frame.layout;
  const { pixels } = frame;
  const { levels, channels } = table;
  const width = Math.ceil(columns / step);
  const height = Math.ceil(rows / step);
  const data = new Uint8ClampedArray(width * height * 4);
  let out = 0;
  for (let y = 0; y < rows; y += step) {
    for (let x = 0; x < columns; x += step) {
      const at = (y * columns + x) * samples;
      if (samples === 3) {
        data[out] = levels[pixels[at] ?? 0] ?? 0;
        data[out + 1] = levels[pixels[at + 1] ?? 0] ?? 0;
        data[out + 2] = levels[pixels[at + 2] ?? 0] ?? 0;
      } else if (channels === 3) {
        const entry = (pixels[at] ?? 0) * 3;
        data[out] = levels[entry] ?? 0;
        data[out + 1] = levels[entry + 1] ?? 0;
        data[out + 2] = levels[entry + 2] ?? 0;
      } else {
        const grey = levels[pixels[at] ?? 0] ?? 0;
        data[out] = data[out + 1] = data[out + 2] = grey;
      }
      data[out + 3] = 255;
      out += 4;
    }
  }
  return { width, height, data };
}
