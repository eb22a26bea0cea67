import { describe, expect, it } from 'vitest';
import { applyVoi, legalWindow, linear, linearExact, sigmoid, windowOfRange } from '../src/lib/voi';

describe('the VOI functions follow PS3.3 C.11.2.1', () => {
  it('LINEAR maps the examples of the standard: width 4096, center 2048 is the identity over 12 bits', () => {
    for (const x of [0, 1, 1000, 2048, 4094, 4095]) expect(linear(x, 2048, 4096)).toBeCloseTo((x / 4095) * 255, 9);
  });
  it('LINEAR clamps outside and steps at width 1', () => {
    expect(linear(-161, 40, 400)).toBe(0);
    expect(linear(-160, 40, 400)).toBe(0);
    expect(linear(239, 40, 400)).toBe(255);
    expect(linear(240, 40, 400)).toBe(255);
    expect(linear(127, 128, 1)).toBe(0);
    expect(linear(128, 128, 1)).toBe(255);
  });
  it('LINEAR_EXACT has its middle at the center', () => {
    expect(linearExact(2048, 2048, 4096)).toBe(127.5);
    expect(linearExact(0, 2048, 4096)).toBe(0);
    expect(linearExact(4096, 2048, 4096)).toBe(255);
    expect(linearExact(0.25, 0.5, 1)).toBeCloseTo(63.75, 9);
  });
  it('LINEAR and LINEAR_EXACT differ by the half step the standard gives them', () => {
    expect(linear(100, 100, 11)).toBeCloseTo(140.25, 9);
    expect(linearExact(100, 100, 11)).toBeCloseTo(127.5, 9);
  });
  it('SIGMOID never clips and is 0.5 at the center', () => {
    expect(sigmoid(50, 50, 100)).toBe(127.5);
    expect(sigmoid(150, 50, 100)).toBeCloseTo(255 / (1 + Math.exp(-4)), 9);
    expect(sigmoid(-1000, 50, 100)).toBeGreaterThan(0);
  });
  it('a VOI table is scaled by what its bits can hold, and its ends hold beyond it', () => {
    const table = { first: 10, values: Uint16Array.of(0, 512, 1023), top: 1023, explanation: '' };
    expect([0, 10, 11, 12, 99].map((x) => Math.round(applyVoi({ kind: 'table', table }, x)))).toEqual([0, 0, 128, 255, 255]);
  });
  it('the full range of eight bits leaves every level as it is', () => {
    const window = windowOfRange(0, 255);
    for (let x = 0; x < 256; x++) expect(applyVoi(window, x)).toBeCloseTo(x, 9);
  });
  it('a width below its limit is raised to it', () => {
    expect(legalWindow(0, -5, 'LINEAR').width).toBe(1);
    expect(legalWindow(0, -5, 'SIGMOID').width).toBeGreaterThan(0);
  });
});
