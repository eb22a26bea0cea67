/** What the list says of a device, decided apart from how it is drawn. */
export type Standing = 'invited' | 'online' | 'seen' | 'never' | 'paused';

/** A WireGuard session lives 180 s after its handshake. */
export const ONLINE_SECONDS = 180;

/** `handshake` and `now` in Unix seconds, `handshake` 0 for never. */
export function standing(device: { state: string; handshake: number }, now: number): Standing {
  if (device.state === 'invited' || device.state === 'paused') return device.state;
  if (device.handshake === 0) return 'never';
  return now - device.handshake < ONLINE_SECONDS ? 'online' : 'seen';
}

/** Seconds that an invitation still lasts, never below 0. */
export function left(ends: string, now: number): number {
  const end = Date.parse(ends) / 1000;
  return Number.isFinite(end) ? Math.max(0, Math.floor(end - now)) : 0;
}
