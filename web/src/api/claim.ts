/** On which device this page is open; letting its browser in. */
import { api, data } from './http';

export const place = (signal: AbortSignal | null = null) => data(api.GET('/api/session/device', { signal }));

/** Rejects with `refused` when the device has its browser already, or for a wrong password or code. */
export async function claim(password = '', code = ''): Promise<void> {
  await data(api.POST('/api/claim', { body: { password, code } }));
}

/** Replaces the passphrase by a shorter password that works on claimed browsers alone. */
export async function shorten(passphrase: string, password: string): Promise<void> {
  await data(api.POST('/api/session/password', { body: { passphrase, password } }));
}

export const approve = () => data(api.POST('/api/session/approval'));
