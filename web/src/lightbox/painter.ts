/** What a painter does; the WebGL2 and the Canvas 2D painter give the same pixels at one to one. */
import type { DisplayTable } from '../lib/displayTable';
import type { Frame } from '../lib/frame';
import type { View } from '../lib/view';

export interface Painter {
  readonly kind: 'webgl2' | 'canvas2d';
  /** The largest side of an image that can be shown. */
  readonly limit: number;
  /** Takes a frame whose samples have 8 or 16 bits, with its table. The same frame object again costs no upload. */
  load(frame: Frame, table: DisplayTable): void;
  /** Draws the loaded frame, or an empty light box for null. Returns false while the context is lost. */
  draw(view: View | null): boolean;
  destroy(): void;
}
