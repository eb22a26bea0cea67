/** Who is logged in. When a session ends, everything built on it is thrown away with it. */
import { ApiError, onSessionEnd } from '../api/http';
import { place as askPlace } from '../api/claim';
import { currentSession, status } from '../api/session';
import type { Place } from '../api/types';

export type Phase = 'starting' | 'unreachable' | 'claim' | 'recovery' | 'out' | 'in';
export type Ended = '' | 'locked' | 'expired' | 'left';

let phase = $state<Phase>('starting');
let user = $state('');
let role = $state('');
let place = $state.raw<Place | null>(null);
let ended = $state<Ended>('');
let generation = $state(0);

export const session = {
  get phase(): Phase {
    return phase;
  },
  get user(): string {
    return user;
  },
  get role(): string {
    return role;
  },
  /** on which device this page is open */
  get place(): Place | null {
    return place;
  },
  /** why the last session ended */
  get ended(): Ended {
    return ended;
  },
  /** a new number for every login: the key under which patient data lives in memory */
  get generation(): number {
    return generation;
  },
  begin(name: string, as: string): void {
    user = name;
    role = as;
    ended = '';
    generation += 1;
    phase = 'in';
  },
  /** Only a session that was open can end; a refused login changes nothing. */
  end(why: Ended): void {
    if (phase === 'in') ended = why;
    user = '';
    role = '';
    phase = 'out';
  },
  async resume(): Promise<void> {
    phase = 'starting';
    try {
      place = await askPlace();
      if (place.place === 'recovery') {
        phase = 'recovery';
        return;
      }
      if (place.elsewhere && firstTime()) {
        location.replace(place.elsewhere);
        return;
      }
      if (place.claim !== 'none' && place.claim !== 'this') {
        phase = 'claim';
        return;
      }
      // While the box is locked nobody has a session: not asking for one keeps the browser's log clean.
      if ((await status()).locked) phase = 'out';
      else {
        const found = await currentSession();
        session.begin(found.user, found.role);
      }
    } catch (error) {
      phase = error instanceof ApiError && error.code === 'unreachable' ? 'unreachable' : 'out';
    }
  },
};

/** Whether this tab has not asked at the box's other origin yet: a browser that nobody knows is told so, not sent round. */
function firstTime(): boolean {
  try {
    if (sessionStorage.getItem('elsewhere')) return false;
    sessionStorage.setItem('elsewhere', 'asked');
    return true;
  } catch {
    return false;
  }
}

onSessionEnd((code) => session.end(code === 'locked' ? 'locked' : 'expired'));
