/** The FrameSource that asks the appliance. */
import type { Frame } from '../lib/frame';
import { parseFrame } from '../lib/parseFrame';
import type { FrameSource } from '../lightbox/frameSource';
import { ApiError, api, data } from './http';

async function frame(instance: string, number: number, signal: AbortSignal): Promise<Frame> {
  const path = { key: instance, number };
  const call = api.GET('/api/instances/{key}/frames/{number}', { params: { path }, parseAs: 'arrayBuffer', signal });
  const samples = await data(call);
  const { response } = await call;
  try {
    return parseFrame(response.headers.get('Negato-Frame') ?? '', samples);
  } catch {
    throw new ApiError('damaged', response.status);
  }
}

export const frames: FrameSource = { frame };
