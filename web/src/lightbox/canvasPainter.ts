/** Paints without WebGL: the same table, looked up on the processor. */
import type { DisplayTable } from '../lib/displayTable';
import type { Frame } from '../lib/frame';
import { paintRgba } from '../lib/paintRgba';
import { type View, isExact } from '../lib/view';
import type { Painter } from './painter';

export class CanvasPainter implements Painter {
  readonly kind = 'canvas2d';
  readonly limit = 16384;
  readonly #context: CanvasRenderingContext2D;
  readonly #picture = document.createElement('canvas');

  /** Throws when the browser gives no 2D context either. */
  constructor(readonly canvas: HTMLCanvasElement) {
    const context = canvas.getContext('2d', { alpha: false });
    if (!context) throw new Error('no 2D context');
    this.#context = context;
  }

  load(frame: Frame, table: DisplayTable): void {
    const { width, height, data } = paintRgba(frame, table);
    this.#picture.width = width;
    this.#picture.height = height;
    this.#picture.getContext('2d', { alpha: false })?.putImageData(new ImageData(data, width, height), 0, 0);
  }

  draw(view: View | null): boolean {
    const context = this.#context;
    context.fillStyle = '#000';
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    if (!view) return true;
    context.imageSmoothingEnabled = !isExact(view);
    context.imageSmoothingQuality = 'high';
    const { width, height } = this.#picture;
    context.drawImage(this.#picture, view.x, view.y, width * view.scale, height * view.scale * view.aspect);
    return true;
  }

  destroy(): void {
    this.#picture.width = this.#picture.height = 0;
  }
}
