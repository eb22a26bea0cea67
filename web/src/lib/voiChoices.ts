/** The VOI transforms that a frame itself offers, the one to begin with first. */
import { type Attributes, items, numbers, text, texts } from './attributes';
import { functionalGroup } from './functionalGroup';
import { readLookupTable } from './lookupTable';
import { type Voi, type WindowFunction, legalWindow } from './voi';

const VOI_LUT_SEQUENCE = '00283010';
const CENTER = '00281050';
const WIDTH = '00281051';
const EXPLANATION = '00281055';
const FUNCTION = '00281056';
const FRAME_VOI = '00289132';

export interface VoiChoice {
  explanation: string;
  voi: Voi;
}

/** Tables come before windows: where an image carries both, the table was made for it (PS3.3 C.11.2.1 allows either). */
export function voiChoices(attributes: Attributes, frame: number, signed: boolean): VoiChoice[] {
  const choices: VoiChoice[] = [];
  for (const item of items(attributes, VOI_LUT_SEQUENCE)) {
    const table = readLookupTable(item, signed);
    if (table) choices.push({ explanation: table.explanation, voi: { kind: 'table', table } });
  }
  const group = functionalGroup(attributes, frame, FRAME_VOI);
  const centers = numbers(group, CENTER);
  const widths = numbers(group, WIDTH);
  const names = texts(group, EXPLANATION);
  const fn = windowFunction(text(group, FUNCTION));
  centers.forEach((center, i) => {
    const width = widths[i];
    if (width === undefined || width < (fn === 'LINEAR' ? 1 : Number.MIN_VALUE)) return;
    choices.push({ explanation: names[i] ?? '', voi: legalWindow(center, width, fn) });
  });
  return choices;
}

function windowFunction(name: string): WindowFunction {
  return name === 'SIGMOID' || name === 'LINEAR_EXACT' ? name : 'LINEAR';
}
