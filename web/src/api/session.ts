/** Logging in, which unlocks the archive; logging out; locking. */
import { json, send } from './http';
import type { AuditHead, Opening, Session, Status } from './types';

export const status = async (signal?: AbortSignal) => json<Status>(await send('GET', '/api/status', undefined, signal));

/** Rejects with `refused` for a wrong name or passphrase. `seen` is the audit head of the last time, if there was one. */
export const logIn = async (user: string, password: string, seen?: AuditHead) =>
  json<Opening>(await send('POST', '/api/session', seen ? { user, password, audit_head: seen } : { user, password }));

export const currentSession = async () => json<Session>(await send('GET', '/api/session'));

export async function logOut(): Promise<void> {
  await send('DELETE', '/api/session');
}

export async function lock(): Promise<void> {
  await send('POST', '/api/lock');
}
