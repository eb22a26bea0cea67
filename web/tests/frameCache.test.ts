import { describe, expect, it } from 'vitest';
import type { Frame } from '../src/lib/frame';
import { Lru } from '../src/lib/lru';
import { FrameCache } from '../src/lightbox/frameCache';
import { Gate } from '../src/lightbox/gate';
import { Prefetch, near } from '../src/lightbox/prefetch';

/** A source whose answers are given by hand. */
class HandSource {
  readonly asked: { key: string; signal: AbortSignal; give: () => void; fail: () => void }[] = [];
  frame(instance: string, frame: number, signal: AbortSignal): Promise<Frame> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      const layout = { rows: 1, columns: 8, samples: 1, bits: 8, signed: false, photometric: 'MONOCHROME2' } as const;
      this.asked.push({ key: `${instance}/${frame}`, signal, give: () => resolve({ layout, pixels: new Uint8Array(8) }), fail: () => reject(new Error('broken')) });
    });
  }
}
const signal = () => new AbortController().signal;

describe('the frame cache', () => {
  it('asks once for what two wait for, and keeps it', async () => {
    const source = new HandSource();
    const cache = new FrameCache(source);
    const both = [cache.frame('a', 1, signal()), cache.frame('a', 1, signal())];
    source.asked[0]?.give();
    expect((await both[0]) === (await both[1])).toBe(true);
    await cache.frame('a', 1, signal());
    expect(source.asked.length).toBe(1);
  });
  it('cancels the request only when the last one who waits has left', async () => {
    const source = new HandSource();
    const cache = new FrameCache(source);
    const one = new AbortController();
    const two = new AbortController();
    const waits = [cache.frame('a', 1, one.signal), cache.frame('a', 1, two.signal)].map((wait) => wait.catch((error: Error) => error.name));
    one.abort();
    expect(await waits[0]).toBe('AbortError');
    expect(source.asked[0]?.signal.aborted).toBe(false);
    two.abort();
    expect(await waits[1]).toBe('AbortError');
    expect(source.asked[0]?.signal.aborted).toBe(true);
  });
  it('does not remember a failure', async () => {
    const source = new HandSource();
    const cache = new FrameCache(source);
    const first = cache.frame('a', 1, signal());
    source.asked[0]?.fail();
    await expect(first).rejects.toThrow('broken');
    const second = cache.frame('a', 1, signal());
    source.asked[1]?.give();
    await expect(second).resolves.toBeDefined();
  });
  it('stays within its budget, oldest out first', () => {
    const lru = new Lru<string>(10);
    lru.set('a', 'a', 4);
    lru.set('b', 'b', 4);
    lru.get('a');
    lru.set('c', 'c', 4);
    expect([lru.has('a'), lru.has('b'), lru.has('c'), lru.used]).toEqual([true, false, true, 8]);
    lru.set('huge', 'x', 11);
    expect([lru.has('huge'), lru.used]).toEqual([false, 8]);
  });
  it('forgets everything when cleared, what is on its way included', async () => {
    const source = new HandSource();
    const cache = new FrameCache(source);
    const wait = cache.frame('a', 1, signal()).catch((error: Error) => error.name);
    cache.clear();
    expect(await wait).toBe('AbortError');
    expect(cache.peek('a', 1)).toBeUndefined();
  });
});

describe('prefetching', () => {
  it('looks ahead in the direction of travel', () => {
    expect(near(5, 100, 1)).toEqual([6, 7, 8, 9, 10, 11, 4, 3]);
    expect(near(1, 100, -1)).toEqual([0, 2, 3]);
  });
  it('drops what is no longer near', async () => {
    const source = new HandSource();
    const prefetch = new Prefetch(new FrameCache(source));
    prefetch.want([1, 2, 3, 4].map((frame) => ({ instance: 'a', frame })));
    expect(source.asked.map((one) => one.key)).toEqual(['a/1', 'a/2', 'a/3']);
    prefetch.want([{ instance: 'b', frame: 9 }]);
    await Promise.resolve();
    await expect.poll(() => source.asked.slice(0, 3).every((one) => one.signal.aborted)).toBe(true);
    expect(source.asked[3]?.key).toBe('b/9');
  });
});

describe('the gate', () => {
  it('lets two in, and a third only after one left; who gave up is passed over', async () => {
    const gate = new Gate(2);
    const open: (() => void)[] = [];
    const begun: string[] = [];
    const job = (name: string) => () => new Promise<void>((resolve) => { begun.push(name); open.push(resolve); });
    const impatient = new AbortController();
    const first = gate.run(signal(), job('a'));
    void gate.run(signal(), job('b'));
    const third = gate.run(impatient.signal, job('c')).catch((error: Error) => error.name);
    void gate.run(signal(), job('d'));
    impatient.abort();
    expect(await third).toBe('AbortError');
    expect(begun).toEqual(['a', 'b']);
    open[0]?.();
    await first;
    await expect.poll(() => begun).toEqual(['a', 'b', 'd']);
  });
});
