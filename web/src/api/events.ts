/** Server-sent events: tells what changed, and opens the line again when it broke. */

import type { AuditHead } from './types';

export interface Listener {
  changed: () => void;
  /** something of the devices or the equipment changed */
  devices: () => void;
  /** how far the box's audit log goes by now */
  record: (head: AuditHead) => void;
  locked: () => void;
  /** this session ended, the archive did not */
  ended: () => void;
  /** the line is open (true) or broken and being tried again (false) */
  connected: (open: boolean) => void;
}

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30_000;

/** Returns the function that closes the line. */
export function listen(listener: Listener): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let pause = FIRST_PAUSE;
  let everOpen = false;
  const open = () => {
    source = new EventSource('/api/events');
    source.onopen = () => {
      pause = FIRST_PAUSE;
      listener.connected(true);
      // Whatever happened while the line was down is caught up with.
      if (everOpen) {
        listener.changed();
        listener.devices();
      }
      everOpen = true;
    };
    source.addEventListener('changed', () => listener.changed());
    source.addEventListener('devices', () => listener.devices());
    source.addEventListener('record', (event: MessageEvent<string>) => listener.record(JSON.parse(event.data) as AuditHead));
    source.addEventListener('locked', () => listener.locked());
    source.addEventListener('ended', () => listener.ended());
    source.onerror = () => {
      listener.connected(false);
      source?.close();
      timer = setTimeout(open, pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    };
  };
  open();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}
