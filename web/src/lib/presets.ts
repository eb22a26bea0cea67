/** Usual CT windows in Hounsfield units. */
import type { Window } from './voi';

export type PresetName = 'softTissue' | 'lung' | 'bone' | 'brain' | 'mediastinum' | 'liver' | 'sinus';

const of = (center: number, width: number): Window => ({ kind: 'window', function: 'LINEAR', center, width });

export const CT_PRESETS: readonly { name: PresetName; window: Window }[] = [
  { name: 'softTissue', window: of(40, 400) },
  { name: 'mediastinum', window: of(50, 350) },
  { name: 'lung', window: of(-600, 1500) },
  { name: 'bone', window: of(500, 2000) },
  { name: 'brain', window: of(40, 80) },
  { name: 'liver', window: of(60, 160) },
  { name: 'sinus', window: of(700, 4000) },
];
