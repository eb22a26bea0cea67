/** Keeps what was used last within a budget of bytes, forgetting the oldest first. */
export class Lru<V> {
  readonly #entries = new Map<string, { value: V; size: number }>();
  #used = 0;

  constructor(readonly budget: number) {}

  get used(): number {
    return this.#used;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** A value larger than the whole budget is not kept. */
  set(key: string, value: V, size: number): void {
    this.delete(key);
    if (size > this.budget) return;
    this.#entries.set(key, { value, size });
    this.#used += size;
    for (const oldest of this.#entries.keys()) {
      if (this.#used <= this.budget) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#used -= entry.size;
  }

  clear(): void {
    this.#entries.clear();
    this.#used = 0;
  }
}
