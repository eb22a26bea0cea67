/** What hangs on the light box: which picture, how it lies, how it is graded. Knows no network and no page. */
import { untrack } from 'svelte';
import type { Frame } from '../lib/frame';
import { type Contrast, type Grading, gradingOf } from '../lib/grading';
import { pixelAspect } from '../lib/pixelAspect';
import { number } from '../lib/attributes';
import { type Instance, type Position, type Stack, filmRate } from '../lib/stacks';
import { type Size, type View, fit, isExact, oneToOne, pan, resized, zoomAt } from '../lib/view';
import { type Window, legalWindow } from '../lib/voi';
import { voiChoices } from '../lib/voiChoices';
import type { FrameCache } from './frameCache';
import { Prefetch, near } from './prefetch';

export type Tool = 'browse' | 'window' | 'pan';
export type Status = 'empty' | 'loading' | 'shown' | 'failed';

/** A stack of one series, ready to hang. `series` is an opaque key. */
export interface Hanging {
  series: string;
  instances: readonly Instance[];
  stack: Stack;
}

export interface Shown {
  hanging: Hanging;
  position: Position;
  instance: Instance;
  frame: Frame;
}

const NO_SIZE: Size = { width: 0, height: 0 };

export class LightBox {
  hanging = $state.raw<Hanging | null>(null);
  index = $state(0);
  status = $state<Status>('empty');
  /** why the picture failed, as the source said it */
  failure = $state.raw<unknown>(undefined);
  shown = $state.raw<Shown | null>(null);
  contrast = $state.raw<Contrast>({ kind: 'file', choice: 0 });
  invert = $state(false);
  view = $state.raw<View | null>(null);
  tool = $state<Tool>('browse');
  playing = $state(false);
  rate = $state(12);
  canvas = $state.raw<Size>(NO_SIZE);
  #following = true;
  #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #filmWindow: Window | undefined;
  readonly #prefetch: Prefetch;

  constructor(readonly cache: FrameCache) {
    this.#prefetch = new Prefetch(cache);
  }

  readonly count = $derived(this.hanging?.stack.positions.length ?? 0);

  /** The grading of the picture on screen; null while there is none or it cannot be graded. */
  readonly grading = $derived.by((): Grading | null => {
    const shown = this.shown;
    if (!shown) return null;
    return this.#grade(shown, this.contrast, this.invert);
  });

  readonly colour = $derived(this.shown !== null && (this.shown.frame.layout.samples === 3 || this.shown.frame.layout.photometric === 'PALETTE COLOR'));

  /** Hangs a stack and shows the picture at `index`. */
  hang(hanging: Hanging, index = 0): void {
    this.clear();
    this.hanging = hanging;
    const first = hanging.stack.positions[0];
    const attributes = first && hanging.instances[first.instance]?.attributes;
    if (attributes) this.rate = filmRate(number(attributes, '00082144'), number(attributes, '00180040'), number(attributes, '00181063'));
    this.go(index);
  }

  /** The same stack with more pictures: what is on screen stays, at its new `index`. */
  rehang(hanging: Hanging, index: number): void {
    this.hanging = hanging;
    this.index = index;
    const position = hanging.stack.positions[index];
    if (this.shown && position) this.shown = { ...this.shown, hanging, position };
    else this.go(index);
  }

  /** Takes everything down and forgets it. */
  clear(): void {
    this.pause();
    this.#controller.abort();
    this.#prefetch.stop();
    this.hanging = this.shown = this.view = null;
    this.contrast = { kind: 'file', choice: 0 };
    this.invert = false;
    this.index = 0;
    this.status = 'empty';
    this.failure = undefined;
    this.#following = true;
    this.#filmWindow = undefined;
  }

  step(by: number): void {
    this.go(Math.min(Math.max(this.index + by, 0), this.count - 1));
  }

  /** Shows the picture at `index` of the stack; whatever was on its way before is cancelled. */
  go(index: number): void {
    const hanging = this.hanging;
    const position = hanging?.stack.positions[index];
    const instance = position && hanging.instances[position.instance];
    if (!hanging || !position || !instance) return;
    const direction = index < this.index ? -1 : 1;
    this.#controller.abort();
    this.#controller = new AbortController();
    this.index = index;
    const known = this.cache.peek(instance.key, position.frame);
    const ahead = () => this.#ahead(hanging, index, direction);
    if (known) {
      this.#show({ hanging, position, instance, frame: known });
      ahead();
      return;
    }
    this.status = 'loading';
    const { signal } = this.#controller;
    this.cache.frame(instance.key, position.frame, signal).then(
      (frame) => {
        if (signal.aborted) return;
        this.#show({ hanging, position, instance, frame });
        ahead();
      },
      (error: unknown) => {
        if (signal.aborted) return;
        this.fail(error);
        ahead();
      },
    );
  }

  /** Takes the picture down and says why; black would look like an image. */
  fail(error: unknown): void {
    this.shown = null;
    this.status = 'failed';
    this.failure = error;
  }

  retry(): void {
    this.go(this.index);
  }

  play(): void {
    if (this.count < 2) return;
    this.playing = true;
    const tick = () => {
      this.#timer = setTimeout(tick, 1000 / this.rate);
      if (this.status !== 'loading') this.go((this.index + 1) % this.count);
    };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(tick, 1000 / this.rate);
  }

  /** Pictures a second, kept between 1 and 60; an empty field changes nothing. */
  setRate(rate: number | null | undefined): void {
    if (typeof rate === 'number' && Number.isFinite(rate)) this.rate = Math.min(Math.max(rate, 1), 60);
  }

  pause(): void {
    clearTimeout(this.#timer);
    this.playing = false;
  }

  /** The canvas has a new size, in device pixels. */
  resize(size: Size): void {
    const before = this.canvas;
    this.canvas = size;
    if (!this.view || this.#following) this.fit();
    else this.view = resized(this.view, before, size);
  }

  fit(): void {
    this.#following = true;
    const image = this.#imageSize();
    if (image && this.canvas.width > 0) this.view = fit(image, this.canvas, this.#aspect());
  }

  exact(): void {
    this.#following = false;
    const image = this.#imageSize();
    if (image) this.view = oneToOne(image, this.canvas);
  }

  /** (x, y) in device pixels; the middle when left out. */
  zoom(factor: number, x = this.canvas.width / 2, y = this.canvas.height / 2): void {
    if (!this.view) return;
    const aspect = this.#aspect();
    // Leaving one to one takes the true pixel shape back.
    const from = isExact(this.view) && aspect !== 1 ? { ...this.view, aspect } : this.view;
    this.#following = false;
    this.view = zoomAt(from, factor, x, y);
  }

  move(dx: number, dy: number): void {
    const image = this.#imageSize();
    if (!this.view || !image) return;
    this.#following = false;
    this.view = pan(this.view, dx, dy, image, this.canvas);
  }

  /** True while the whole picture is on the canvas. */
  get whole(): boolean {
    return this.#following;
  }

  /** The window in force, or for a table the window that spans it: where the reader's own change begins. */
  window(): Window | null {
    const voi = this.grading?.voi;
    if (!voi) return null;
    if (voi.kind === 'window') return voi;
    const { first, values } = voi.table;
    return legalWindow(first + values.length / 2, values.length, 'LINEAR');
  }

  setWindow(center: number, width: number): void {
    const before = this.window();
    if (!before || !Number.isFinite(center) || !Number.isFinite(width)) return;
    this.contrast = { kind: 'own', voi: legalWindow(center, width, before.function) };
  }

  reset(): void {
    this.contrast = { kind: 'file', choice: 0 };
    this.invert = false;
    this.fit();
  }

  #grade(shown: Shown, contrast: Contrast, invert: boolean): Grading | null {
    const { instance, frame, position, hanging } = shown;
    try {
      const grading = gradingOf(instance.attributes, frame, position.frame, contrast, invert);
      // A film without a window of its own keeps the range of its first shown frame, or it would flicker.
      if (hanging.stack.kind !== 'film' || contrast.kind === 'own' || this.colour) return grading;
      if (contrast.kind === 'file' && voiChoices(instance.attributes, position.frame, frame.layout.signed).length > 0) return grading;
      if (grading.voi.kind === 'window') this.#filmWindow ??= grading.voi;
      return { ...grading, voi: this.#filmWindow ?? grading.voi };
    } catch {
      return null;
    }
  }

  #show(next: Shown): void {
    const before = untrack(() => this.shown?.frame.layout);
    const layout = next.frame.layout;
    this.shown = next;
    if (!this.#grade(next, this.contrast, this.invert)) {
      this.fail(undefined);
      return;
    }
    this.status = 'shown';
    const sameSize = before && before.rows === layout.rows && before.columns === layout.columns;
    if (!this.view || this.#following || !sameSize) this.fit();
  }

  #ahead(hanging: Hanging, index: number, direction: 1 | -1): void {
    const { positions } = hanging.stack;
    const wanted = near(index, positions.length, direction).flatMap((i) => {
      const position = positions[i];
      const instance = position && hanging.instances[position.instance];
      return instance ? [{ instance: instance.key, frame: position.frame }] : [];
    });
    this.#prefetch.want(wanted);
  }

  #imageSize(): Size | undefined {
    const layout = this.shown?.frame.layout;
    return layout && { width: layout.columns, height: layout.rows };
  }

  #aspect(): number {
    return this.shown ? pixelAspect(this.shown.instance.attributes) : 1;
  }
}
