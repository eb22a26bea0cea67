/** Logging in, which unlocks the archive; logging out; locking. */
import { api, data } from './http';
import type { AuditHead } from './types';

export const status = (signal: AbortSignal | null = null) => data(api.GET('/api/status', { signal }));

/** Rejects with `refused` for a wrong name or passphrase. `seen` is the audit head of the last time, if there was one. */
export const logIn = (user: string, password: string, seen?: AuditHead) =>
  data(api.POST('/api/session', { body: seen ? { user, password, audit_head: seen } : { user, password } }));

export const currentSession = () => data(api.GET('/api/session'));

export async function logOut(): Promise<void> {
  await data(api.DELETE('/api/session'));
}

export async function lock(): Promise<void> {
  await data(api.POST('/api/lock'));
}
