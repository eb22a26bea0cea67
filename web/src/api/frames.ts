/** The FrameSource that asks the appliance. */
import type { Frame } from '../lib/frame';
import { parseFrame } from '../lib/parseFrame';
import type { FrameSource } from '../lightbox/frameSource';
import { ApiError, send } from './http';

async function frame(instance: string, number: number, signal: AbortSignal): Promise<Frame> {
  const answer = await send('GET', `/api/instances/${encodeURIComponent(instance)}/frames/${number}`, undefined, signal);
  const head = answer.headers.get('Negato-Frame') ?? '';
  let data: ArrayBuffer;
  try {
    data = await answer.arrayBuffer();
  } catch {
    signal.throwIfAborted();
    throw new ApiError('unreachable', 0);
  }
  try {
    return parseFrame(head, data);
  } catch {
    throw new ApiError('damaged', answer.status);
  }
}

export const frames: FrameSource = { frame };
