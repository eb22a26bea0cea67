import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatDate, formatTime, fromField } from '../src/lib/dicomDate';
import { parseFrame } from '../src/lib/parseFrame';
import { personName } from '../src/lib/personName';
import { parseRoute, renderRoute } from '../src/lib/route';
import { commandOf } from '../src/lib/shortcuts';
import { stacks } from '../src/lib/stacks';

describe('what people read', () => {
  it('names', () => {
    expect(personName('DUPONT^Marie^^Dr')).toBe('DUPONT Marie');
    expect(personName('山田^太郎=ヤマダ')).toBe('山田 太郎');
    expect(personName('^^')).toBe('');
    expect(personName('Zz\u202eabc^d\u2066ef')).toBe('Zzabc def');
  });
  it('dates and times, and nothing for what is none', () => {
    expect(formatDate('20260131', 'fr')).toBe('31/01/2026');
    expect(formatDate('20260412', 'en')).toBe('12 Apr 2026');
    expect(formatDate('20260231', 'fr')).toBe('');
    expect(formatDate('1994', 'fr')).toBe('');
    expect(formatTime('093012.5')).toBe('09:30');
    expect(formatTime('99')).toBe('');
    expect(fromField('2026-11-24')).toBe('20261124');
  });
  it('both languages say everything, with the same places to fill in', () => {
    const load = (locale: string) => JSON.parse(readFileSync(new URL(`../messages/${locale}.json`, import.meta.url), 'utf8')) as Record<string, string>;
    const [en, fr] = [load('en'), load('fr')];
    expect(Object.keys(fr).sort()).toEqual(Object.keys(en).sort());
    const places = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();
    for (const [key, text] of Object.entries(en)) {
      expect(text.trim(), key).not.toBe('');
      expect(places(fr[key] ?? ''), key).toEqual(places(text));
    }
    // A line never begins with a French sign, nor ends with an opening quotation mark.
    for (const [key, text] of Object.entries(fr)) expect(text, key).not.toMatch(/« | [»:;?!]/);
  });
});

describe('addresses hold opaque keys only', () => {
  it('are read back as written', () => {
    for (const hash of ['#/', '#/?gl=off', '#/devices', '#/devices?gl=off', '#/study/aZ09_-', '#/study/k?gl=off']) expect(renderRoute(parseRoute(hash))).toBe(hash);
  });
  it('anything else is the list', () => {
    for (const hash of ['', '#/study/', '#/study/a/b', '#/study/<x>', '#/elsewhere']) expect(parseRoute(hash).page).toBe('studies');
  });
});

describe('a frame must fit its head', () => {
  const head = { rows: 2, columns: 2, samples: 1, bits: 16, signed: true, photometric: 'MONOCHROME2' };
  it('is taken when it does', () => {
    expect(parseFrame(JSON.stringify(head), new ArrayBuffer(8)).pixels.length).toBe(4);
  });
  it.each([
    ['too short', head, 7],
    ['no size', { ...head, rows: 0 }, 8],
    ['twelve bits', { ...head, bits: 12 }, 8],
    ['two samples', { ...head, samples: 2 }, 16],
    ['sign unknown', { ...head, signed: 1 }, 8],
    ['gigantic', { ...head, rows: 65535, columns: 65535 }, 8],
  ])('%s is refused', (_, bad, size) => {
    expect(() => parseFrame(JSON.stringify(bad), new ArrayBuffer(size))).toThrow(RangeError);
  });
});

describe('stacks', () => {
  it('single images together, each film and document alone', () => {
    const instance = (frames: number) => ({ key: 'k', frames, attributes: {} });
    const found = stacks([instance(1), instance(3), instance(1), instance(0)]);
    expect(found.map((stack) => [stack.kind, stack.positions.length])).toEqual([['images', 2], ['film', 3], ['document', 0]]);
    expect(found[0]?.positions[1]).toEqual({ instance: 2, frame: 1 });
  });
});

describe('keys', () => {
  it('work on a French keyboard too', () => {
    expect(commandOf('1', 'Digit1')).toBe('exact');
    expect(commandOf('&', 'Digit1')).toBe('exact');
    expect(commandOf('x', 'KeyX')).toBeUndefined();
  });
});
