/** Logging in, which unlocks the archive; logging out; locking. */
import { json, send } from './http';
import type { Session, Status } from './types';

export const status = async (signal?: AbortSignal) => json<Status>(await send('GET', '/api/status', undefined, signal));

/** Rejects with `refused` for a wrong name or passphrase. */
export const logIn = async (user: string, password: string) => json<Session>(await send('POST', '/api/session', { user, password }));

export const currentSession = async () => json<Session>(await send('GET', '/api/session'));

export async function logOut(): Promise<void> {
  await send('DELETE', '/api/session');
}

export async function lock(): Promise<void> {
  await send('POST', '/api/lock');
}
