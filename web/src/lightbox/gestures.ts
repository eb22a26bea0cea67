/** Turns pointers and the wheel into what the light box does. Positions are device pixels of the canvas. */
import type { LightBox } from './lightBox.svelte';

interface Pointer {
  x: number;
  y: number;
}

type Drag = 'window' | 'pan' | 'scroll' | 'pinch' | 'none';

const WHEEL_STEP = 50;

export class Gestures {
  readonly #pointers = new Map<number, Pointer>();
  #drag: Drag = 'none';
  #start = { center: 0, width: 1 };
  #moved = { x: 0, y: 0 };
  #scrolled = 0;
  #wheel = 0;
  #tapped = { at: -Infinity, x: 0, y: 0 };

  constructor(
    readonly box: LightBox,
    readonly canvas: HTMLCanvasElement,
  ) {}

  down = (event: PointerEvent): void => {
    this.canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, this.#place(event));
    if (this.#pointers.size >= 2) {
      // The beginning of a pinch must not leave a changed window behind.
      if (this.#drag === 'window' && Math.hypot(this.#moved.x, this.#moved.y) < 24) this.box.setWindow(this.#start.center, this.#start.width);
      this.#drag = 'pinch';
      return;
    }
    this.#drag = this.#choose(event);
    this.#moved = { x: 0, y: 0 };
    this.#scrolled = 0;
    const window = this.box.window();
    if (window) this.#start = { center: window.center, width: window.width };
  };

  move = (event: PointerEvent): void => {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const now = this.#place(event);
    if (this.#drag === 'pinch') {
      this.#pinch(event.pointerId, before, now);
      this.#pointers.set(event.pointerId, now);
      return;
    }
    this.#pointers.set(event.pointerId, now);
    const dx = now.x - before.x;
    const dy = now.y - before.y;
    this.#moved = { x: this.#moved.x + dx, y: this.#moved.y + dy };
    if (this.#drag === 'pan') this.box.move(dx, dy);
    if (this.#drag === 'window') this.#window();
    if (this.#drag === 'scroll') this.#scroll(dy);
  };

  up = (event: PointerEvent): void => {
    this.#pointers.delete(event.pointerId);
    if (this.#drag !== 'pinch' && event.type === 'pointerup' && event.pointerType !== 'mouse') this.#tap(event);
    // The finger left over from a pinch must not begin something else.
    if (this.#pointers.size === 0) this.#drag = 'none';
    else this.#drag = this.#pointers.size >= 2 ? 'pinch' : 'none';
  };

  /** Two quick taps at one place show the whole picture. */
  #tap(event: PointerEvent): void {
    if (Math.hypot(this.#moved.x, this.#moved.y) > 12 * devicePixelRatio) return;
    const { at, x, y } = this.#tapped;
    const again = event.timeStamp - at < 350 && Math.hypot(event.clientX - x, event.clientY - y) < 32;
    if (again) this.box.fit();
    this.#tapped = { at: again ? -Infinity : event.timeStamp, x: event.clientX, y: event.clientY };
  }

  wheel = (event: WheelEvent): void => {
    event.preventDefault();
    const delta = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 33 : event.deltaY;
    if (event.ctrlKey || event.metaKey || this.box.count < 2) {
      const { x, y } = this.#place(event);
      this.box.zoom(Math.exp(-Math.max(-60, Math.min(60, delta)) / 240), x, y);
      return;
    }
    if (Math.sign(delta) !== Math.sign(this.#wheel)) this.#wheel = 0;
    this.#wheel += delta;
    if (Math.abs(this.#wheel) < WHEEL_STEP) return;
    this.box.pause();
    this.box.step(Math.sign(this.#wheel));
    this.#wheel = 0;
  };

  #choose(event: PointerEvent): Drag {
    const { box } = this;
    if (event.pointerType === 'mouse') {
      if (event.button !== 0 || event.shiftKey || box.tool === 'pan') return 'pan';
      return 'window';
    }
    // A finger changes the contrast only in the mode chosen for it.
    if (box.tool === 'window') return 'window';
    if (box.tool === 'pan' || box.count < 2 || !box.whole) return 'pan';
    return 'scroll';
  }

  #window(): void {
    const { box } = this;
    if (!box.grading) return;
    const { center, width } = this.#start;
    const reach = Math.max(width, 1) / (300 * devicePixelRatio);
    const brighter = box.grading.inverted ? -1 : 1;
    const wider = width + this.#moved.x * reach;
    const target = Math.max(wider, Math.min(width, 1));
    box.setWindow(tidy(center + this.#moved.y * reach * brighter, target), tidy(target, target));
  }

  #scroll(dy: number): void {
    const { box } = this;
    const pace = Math.min(Math.max((this.canvas.height * 0.8) / box.count, 8 * devicePixelRatio), 32 * devicePixelRatio);
    this.#scrolled -= dy;
    const steps = Math.trunc(this.#scrolled / pace);
    if (steps === 0) return;
    this.#scrolled -= steps * pace;
    box.pause();
    box.step(steps);
  }

  #pinch(id: number, before: Pointer, now: Pointer): void {
    const other = [...this.#pointers].find(([one]) => one !== id)?.[1];
    if (!other) return;
    const was = Math.hypot(before.x - other.x, before.y - other.y);
    const is = Math.hypot(now.x - other.x, now.y - other.y);
    this.box.move((now.x - before.x) / 2, (now.y - before.y) / 2);
    if (was > 8) this.box.zoom(is / was, (now.x + other.x) / 2, (now.y + other.y) / 2);
  }

  #place(event: MouseEvent): Pointer {
    const frame = this.canvas.getBoundingClientRect();
    const ratio = frame.width > 0 ? this.canvas.width / frame.width : 1;
    return { x: (event.clientX - frame.left) * ratio, y: (event.clientY - frame.top) * ratio };
  }
}

/** Whole numbers where the window is wide enough for nobody to see the difference. */
function tidy(value: number, width: number): number {
  return width >= 20 ? Math.round(value) : Math.round(value * 100) / 100;
}
