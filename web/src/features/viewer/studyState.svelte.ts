/** One open study in memory: its series, loaded when they are looked at. */
import { SvelteMap } from 'svelte/reactivity';
import { ApiError, type ErrorCode } from '../../api/http';
import { series as fetchSeries, study as fetchStudy } from '../../api/studies';
import type { SeriesSummary, Study } from '../../api/types';
import { type Instance, type Stack, stacks } from '../../lib/stacks';

export type Loaded = { state: 'loading' } | { state: 'failed' } | { state: 'ready'; instances: Instance[]; stacks: Stack[] };

export class StudyState {
  study = $state.raw<Study | null>(null);
  series = $state.raw<SeriesSummary[]>([]);
  failure = $state<ErrorCode | ''>('');
  readonly loaded = new SvelteMap<string, Loaded>();
  readonly #controller = new AbortController();
  readonly #pending = new Map<string, Promise<Loaded>>();

  constructor(readonly key: string) {}

  async open(): Promise<void> {
    this.failure = '';
    try {
      const contents = await fetchStudy(this.key, this.#controller.signal);
      this.study = contents.study;
      this.series = contents.series;
    } catch (error) {
      if (!this.#controller.signal.aborted && !this.study) this.failure = error instanceof ApiError ? error.code : 'damaged';
    }
  }

  /** Asks again; returns the keys of series that grew. */
  async refresh(): Promise<string[]> {
    const before = new Map(this.series.map((one) => [one.key, one.instance_count]));
    await this.open();
    const grown = this.series.filter((one) => before.has(one.key) && before.get(one.key) !== one.instance_count).map((one) => one.key);
    await Promise.all(grown.filter((key) => this.loaded.has(key)).map((key) => this.load(key, true)));
    return grown;
  }

  load(key: string, again = false): Promise<Loaded> {
    const pending = this.#pending.get(key);
    if (pending && !again) return pending;
    if (!this.loaded.has(key)) this.loaded.set(key, { state: 'loading' });
    const loading = this.#load(key).then((loaded) => {
      if (loaded.state === 'failed') this.#pending.delete(key);
      if (!this.#controller.signal.aborted) this.loaded.set(key, loaded);
      return loaded;
    });
    this.#pending.set(key, loading);
    return loading;
  }

  /** Forgets everything and cancels what is on its way. */
  clear(): void {
    this.#controller.abort();
    this.loaded.clear();
    this.#pending.clear();
    this.study = null;
    this.series = [];
  }

  async #load(key: string): Promise<Loaded> {
    try {
      const { instances } = await fetchSeries(key, this.#controller.signal);
      return { state: 'ready', instances, stacks: stacks(instances) };
    } catch {
      return { state: 'failed' };
    }
  }
}
