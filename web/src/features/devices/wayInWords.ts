/** What the router's answers mean, in words, and the step that follows. */
import type { WayIn } from '../../api/types';
import { m } from '../../lib/paraglide/messages';

type Verdict = NonNullable<WayIn['router']>['verdict'];

interface Words {
  said: string;
  step: string;
  /** the port has to be opened by hand */
  hand: boolean;
}

export function words(verdict: Verdict | undefined): Words {
  switch (verdict) {
    case undefined: return { said: m.way_nobody(), step: '', hand: true };
    case 'no_router': return { said: m.way_no_router(), step: m.way_no_router_step(), hand: false };
    case 'direct': return { said: m.way_direct(), step: '', hand: false };
    case 'mapped': return { said: m.way_mapped(), step: '', hand: false };
    case 'other_port': return { said: m.way_other_port(), step: '', hand: false };
    case 'carrier_nat': return { said: m.way_carrier_nat(), step: m.way_carrier_nat_step(), hand: false };
    case 'double_nat': return { said: m.way_double_nat(), step: m.way_double_nat_step(), hand: true };
    case 'no_public_address': return { said: m.way_no_public_address(), step: m.way_no_public_address_step(), hand: false };
    case 'refused': return { said: m.way_refused(), step: m.way_refused_step(), hand: true };
    case 'silent': return { said: m.way_silent(), step: m.way_silent_step(), hand: true };
    case 'contradicts': return { said: m.way_contradicts(), step: m.way_contradicts_step(), hand: true };
  }
}
