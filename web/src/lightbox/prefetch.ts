/** Loads the neighbours of the picture on screen, a few at a time, and drops what is no longer near. */
import type { FrameCache } from './frameCache';

export interface Neighbour {
  instance: string;
  frame: number;
}

const AT_ONCE = 3;

export class Prefetch {
  #controller = new AbortController();

  constructor(readonly cache: FrameCache) {}

  /** Replaces whatever was being fetched before by `wanted`, nearest first. */
  want(wanted: readonly Neighbour[]): void {
    this.stop();
    const { signal } = this.#controller;
    const queue = wanted.filter((one) => !this.cache.peek(one.instance, one.frame));
    const work = async () => {
      for (let next = queue.shift(); next && !signal.aborted; next = queue.shift()) {
        // A neighbour that fails is asked for again, and shown as failed, when it comes on screen.
        await this.cache.frame(next.instance, next.frame, signal).catch(() => undefined);
      }
    };
    for (let i = 0; i < AT_ONCE; i++) void work();
  }

  stop(): void {
    this.#controller.abort();
    this.#controller = new AbortController();
  }
}

/** Indices near `index`, the direction of travel first: six ahead, two behind. */
export function near(index: number, count: number, direction: 1 | -1): number[] {
  const found: number[] = [];
  for (let i = 1; i <= 6; i++) found.push(index + i * direction);
  found.push(index - direction, index - 2 * direction);
  return found.filter((i) => i >= 0 && i < count);
}
