/** Groups a series into what is scrolled through as one: its single images together, each film by itself. */
import type { Attributes } from './attributes';

export interface Instance {
  key: string;
  frames: number;
  attributes: Attributes;
}

/** One picture of a series: `instance` is its index in viewing order from 0, `frame` counts from 1. */
export interface Position {
  instance: number;
  frame: number;
}

export interface Stack {
  /** unique within the series */
  id: string;
  kind: 'images' | 'film' | 'document';
  positions: Position[];
}

export function stacks(instances: readonly Instance[]): Stack[] {
  const found: Stack[] = [];
  let images: Stack | undefined;
  instances.forEach((instance, index) => {
    if (instance.frames === 1) {
      if (!images) {
        images = { id: `images`, kind: 'images', positions: [] };
        found.push(images);
      }
      images.positions.push({ instance: index, frame: 1 });
      return;
    }
    const kind = instance.frames === 0 ? 'document' : 'film';
    const positions = Array.from({ length: instance.frames }, (_, i) => ({ instance: index, frame: i + 1 }));
    found.push({ id: `${kind}-${index}`, kind, positions });
  });
  return found;
}

/** The rate a film was recorded at, in frames a second, where it says so (CineRate, FrameTime, RecommendedDisplayFrameRate). */
export function filmRate(recommended: number | undefined, cine: number | undefined, frameTime: number | undefined): number {
  const rate = recommended ?? cine ?? (frameTime ? 1000 / frameTime : undefined) ?? 12;
  return Math.min(Math.max(Math.round(rate), 1), 60);
}
