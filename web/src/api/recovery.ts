/** The recovery page's own calls: the paper key first, then a device in and others out. */
import { api, data } from './http';
import type { Handed } from './types';

/** Rejects with `refused` for a key that is not the sheet's. */
export const showPaper = (paper: string) => data(api.POST('/api/recovery', { body: { paper } }));

export const replaceDevices = (body: { token: string; person: string; name: string; public_key: string; revoke: string[] }): Promise<Handed> =>
  data(api.POST('/api/recovery/device', { body: { kind: 'phone', ...body } }));
