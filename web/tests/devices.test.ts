import { x25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import { ago } from '../src/lib/ago';
import { byteSize } from '../src/lib/byteSize';
import { left, standing } from '../src/lib/deviceWords';
import { makeTunnelKey } from '../src/lib/tunnelKey';

const bytes = (text: string) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

describe('a key of the tunnel is made here', () => {
  const broken = { generateKey: () => Promise.reject(new DOMException('unknown curve', 'NotSupportedError')) } as unknown as SubtleCrypto;
  it.each([
    ['by WebCrypto', crypto.subtle],
    ['without a secure context', undefined],
    ['where the browser does not know the curve', broken],
  ])('%s', async (_, subtle) => {
    const key = await makeTunnelKey(subtle);
    const secret = bytes(key.privateKey);
    expect(secret.length).toBe(32);
    expect([(secret[0] ?? 1) & 7, (secret[31] ?? 0) & 192]).toEqual([0, 64]);
    expect(bytes(key.publicKey)).toEqual(x25519.getPublicKey(secret));
    expect((await makeTunnelKey(subtle)).privateKey).not.toBe(key.privateKey);
  });
});

describe('what people read of a device', () => {
  it('when it was seen', () => {
    expect(ago('fr', 1000, 1000)).toBe('maintenant');
    expect(ago('fr', 1000, 1119)).toBe('il y a 1 minute');
    expect(ago('en', 1000, 8200)).toBe('2 hours ago');
    expect(ago('fr', 1000, 1000 + 86_400)).toBe('hier');
    expect(ago('en', 2000, 1000)).toBe('now');
  });
  it('how much went through', () => {
    expect(byteSize('en', 999)).toBe('999 byte');
    expect(byteSize('fr', 1_234_000).replaceAll(/\s/g, ' ')).toBe('1,2 Mo');
    expect(byteSize('fr', 45_600_000).replaceAll(/\s/g, ' ')).toBe('46 Mo');
  });
  it('whether it is connected', () => {
    expect(standing({ state: 'active', handshake: 0 }, 1000)).toBe('never');
    expect(standing({ state: 'active', handshake: 900 }, 1000)).toBe('online');
    expect(standing({ state: 'active', handshake: 800 }, 1000)).toBe('seen');
    expect(standing({ state: 'paused', handshake: 990 }, 1000)).toBe('paused');
    expect(standing({ state: 'invited', handshake: 0 }, 1000)).toBe('invited');
  });
  it('how long an invitation lasts', () => {
    expect(left('1970-01-01T00:20:00.000Z', 600)).toBe(600);
    expect(left('1970-01-01T00:20:00.000Z', 1300)).toBe(0);
    expect(left('', 0)).toBe(0);
  });
});
