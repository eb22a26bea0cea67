/** Who is logged in. When a session ends, everything built on it is thrown away with it. */
import { ApiError, onSessionEnd } from '../api/http';
import { currentSession, status } from '../api/session';

export type Phase = 'starting' | 'unreachable' | 'out' | 'in';
export type Ended = '' | 'locked' | 'expired' | 'left';

let phase = $state<Phase>('starting');
let user = $state('');
let ended = $state<Ended>('');
let generation = $state(0);

export const session = {
  get phase(): Phase {
    return phase;
  },
  get user(): string {
    return user;
  },
  /** why the last session ended */
  get ended(): Ended {
    return ended;
  },
  /** a new number for every login: the key under which patient data lives in memory */
  get generation(): number {
    return generation;
  },
  begin(name: string): void {
    user = name;
    ended = '';
    generation += 1;
    phase = 'in';
  },
  /** Only a session that was open can end; a refused login changes nothing. */
  end(why: Ended): void {
    if (phase === 'in') ended = why;
    user = '';
    phase = 'out';
  },
  async resume(): Promise<void> {
    phase = 'starting';
    try {
      // While the box is locked nobody has a session: not asking for one keeps the browser's log clean.
      if ((await status()).locked) phase = 'out';
      else session.begin((await currentSession()).user);
    } catch (error) {
      phase = error instanceof ApiError && error.code === 'unreachable' ? 'unreachable' : 'out';
    }
  },
};

onSessionEnd((code) => session.end(code === 'locked' ? 'locked' : 'expired'));
