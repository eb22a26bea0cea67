/**
 * A WireGuard key made in this browser (X25519, RFC 7748), so that its private half never crosses a wire: by the
 * browser's own WebCrypto where it has the curve and the page a secure context, else by a small library.
 */
export interface TunnelKey {
  /** base64 of 32 bytes, as WireGuard spells keys */
  publicKey: string;
  privateKey: string;
}

export async function makeTunnelKey(subtle: SubtleCrypto | undefined = globalThis.crypto.subtle): Promise<TunnelKey> {
  return (await byWebCrypto(subtle)) ?? byLibrary();
}

async function byWebCrypto(subtle: SubtleCrypto | undefined): Promise<TunnelKey | undefined> {
  if (!subtle) return undefined;
  try {
    const pair = (await subtle.generateKey({ name: 'X25519' }, true, ['deriveBits'])) as CryptoKeyPair;
    const { d, x } = await subtle.exportKey('jwk', pair.privateKey);
    return d && x ? { privateKey: clamped(fromUrl(d)), publicKey: base64(fromUrl(x)) } : undefined;
  } catch {
    // An older browser does not know the curve.
    return undefined;
  }
}

async function byLibrary(): Promise<TunnelKey> {
  const { x25519 } = await import('@noble/curves/ed25519.js');
  const secret = globalThis.crypto.getRandomValues(new Uint8Array(32));
  return { privateKey: clamped(secret), publicKey: base64(x25519.getPublicKey(secret)) };
}

/** As `wg genkey` writes it; X25519 does the same at every use, so the public key is that of both. */
function clamped(secret: Uint8Array): string {
  const bytes = Uint8Array.from(secret);
  bytes[0] = (bytes[0] ?? 0) & 248;
  bytes[31] = ((bytes[31] ?? 0) & 127) | 64;
  return base64(bytes);
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

function fromUrl(text: string): Uint8Array {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
}
