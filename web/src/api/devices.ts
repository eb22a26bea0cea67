/** Devices and equipment: let in, followed, put out. */
import { api, data } from './http';
import type { Decision, DeviceAct, Invitation } from './types';

export const listDevices = (signal: AbortSignal | null = null) => data(api.GET('/api/devices', { signal }));

export const listPeople = (signal: AbortSignal | null = null) => data(api.GET('/api/people', { signal }));

/** The answer is all that is ever shown of the device's keys; the private one was made here and is not in it. */
export const invite = (body: Invitation) => data(api.POST('/api/devices', { body }));

export const act = (device: string, what: DeviceAct) =>
  data(api.POST('/api/devices/{device}/act', { params: { path: { device } }, body: { act: what } }));

export const rename = (device: string, name: string) =>
  data(api.PATCH('/api/devices/{device}', { params: { path: { device } }, body: { name } }));

export const listEquipment = (signal: AbortSignal | null = null) => data(api.GET('/api/equipment', { signal }));

export const decide = (body: Decision) => data(api.POST('/api/equipment', { body }));
