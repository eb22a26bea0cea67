/** The VOI transform: a value of the modality's unit to a grey level from 0 to 255 (PS3.3 C.11.2). */
import { type LookupTable, lookUp } from './lookupTable';

export type WindowFunction = 'LINEAR' | 'LINEAR_EXACT' | 'SIGMOID';

export interface Window {
  kind: 'window';
  function: WindowFunction;
  center: number;
  width: number;
}

export type Voi = Window | { kind: 'table'; table: LookupTable };

/** PS3.3 C.11.2.1.2.1; width is at least 1. */
export function linear(x: number, center: number, width: number): number {
  const half = (width - 1) / 2;
  if (x <= center - 0.5 - half) return 0;
  if (x > center - 0.5 + half) return 255;
  return ((x - (center - 0.5)) / (width - 1) + 0.5) * 255;
}

/** PS3.3 C.11.2.1.3.2; width is above 0. */
export function linearExact(x: number, center: number, width: number): number {
  if (x <= center - width / 2) return 0;
  if (x > center + width / 2) return 255;
  return ((x - center) / width + 0.5) * 255;
}

/** PS3.3 C.11.2.1.3.1; width is above 0. */
export function sigmoid(x: number, center: number, width: number): number {
  return 255 / (1 + Math.exp((-4 * (x - center)) / width));
}

/** The grey level before rounding, 0 to 255. */
export function applyVoi(voi: Voi, x: number): number {
  if (voi.kind === 'table') return (lookUp(voi.table, x) / voi.table.top) * 255;
  if (voi.function === 'SIGMOID') return sigmoid(x, voi.center, voi.width);
  if (voi.function === 'LINEAR_EXACT') return linearExact(x, voi.center, voi.width);
  return linear(x, voi.center, voi.width);
}

/** Keeps a window where its function is defined: LINEAR needs a width of at least 1, the others more than 0. */
export function legalWindow(center: number, width: number, fn: WindowFunction): Window {
  return { kind: 'window', function: fn, center, width: Math.max(width, fn === 'LINEAR' ? 1 : 1e-6) };
}

/** The window that maps the smallest value to black and the largest to white. */
export function windowOfRange(low: number, high: number): Window {
  return { kind: 'window', function: 'LINEAR', center: (low + high + 1) / 2, width: high - low + 1 };
}
