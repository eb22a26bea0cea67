/** A FrameSource that remembers: bounded memory, one request for one frame, cancelled when nobody waits any more. */
import type { Frame } from '../lib/frame';
import { Lru } from '../lib/lru';
import type { FrameSource } from './frameSource';

interface Pending {
  promise: Promise<Frame>;
  controller: AbortController;
  waiting: number;
}

const MEBIBYTE = 1024 * 1024;

export class FrameCache implements FrameSource {
  readonly #kept: Lru<Frame>;
  readonly #pending = new Map<string, Pending>();

  constructor(
    readonly source: FrameSource,
    budget = 256 * MEBIBYTE,
  ) {
    this.#kept = new Lru(budget);
  }

  /** A frame already in memory, without waiting. */
  peek(instance: string, frame: number): Frame | undefined {
    return this.#kept.get(`${instance}/${frame}`);
  }

  async frame(instance: string, frame: number, signal: AbortSignal): Promise<Frame> {
    signal.throwIfAborted();
    const key = `${instance}/${frame}`;
    const known = this.#kept.get(key);
    if (known) return known;
    const pending = this.#pending.get(key) ?? this.#start(key, instance, frame);
    pending.waiting += 1;
    let leave: (() => void) | undefined;
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(signal.reason);
      signal.addEventListener('abort', leave, { once: true });
    });
    try {
      return await Promise.race([pending.promise, left]);
    } finally {
      if (leave) signal.removeEventListener('abort', leave);
      pending.waiting -= 1;
      if (pending.waiting === 0 && this.#pending.get(key) === pending) {
        this.#pending.delete(key);
        pending.controller.abort();
      }
    }
  }

  /** Forgets every picture and cancels what is on its way. */
  clear(): void {
    for (const pending of this.#pending.values()) pending.controller.abort();
    this.#pending.clear();
    this.#kept.clear();
  }

  #start(key: string, instance: string, frame: number): Pending {
    const controller = new AbortController();
    const promise = this.source.frame(instance, frame, controller.signal).then((loaded) => {
      if (this.#pending.get(key) === pending) {
        this.#pending.delete(key);
        this.#kept.set(key, loaded, loaded.pixels.byteLength);
      }
      return loaded;
    });
    promise.catch(() => {
      if (this.#pending.get(key) === pending) this.#pending.delete(key);
    });
    const pending: Pending = { promise, controller, waiting: 0 };
    this.#pending.set(key, pending);
    return pending;
  }
}
