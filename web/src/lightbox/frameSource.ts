/** The only door through which the light box gets pictures. */
import type { Frame } from '../lib/frame';

export interface FrameSource {
  /**
   * One frame (`frame` counts from 1) of the instance with this opaque key. Rejects with an AbortError once `signal`
   * fires; any other rejection means the frame failed, and it is shown as failed.
   */
  frame(instance: string, frame: number, signal: AbortSignal): Promise<Frame>;
}
