/** How a frame becomes grey levels: everything between the stored value and the screen, as one value. */
import { type Attributes, text } from './attributes';
import type { Frame } from './frame';
import { fullRange } from './fullRange';
import { type Modality, modalityOf } from './modality';
import { type Palette, readPalette } from './palette';
import { type Voi, windowOfRange } from './voi';
import { voiChoices } from './voiChoices';

const PRESENTATION_LUT_SHAPE = '20500020';

/** What the reader chose: the file's own n-th proposal, everything there is, or a window of their own. */
export type Contrast = { kind: 'file'; choice: number } | { kind: 'full' } | { kind: 'own'; voi: Voi };

export interface Grading {
  modality: Modality;
  voi: Voi;
  /** smallest values white: MONOCHROME1 or an INVERSE presentation shape, turned once more by the reader */
  inverted: boolean;
  palette: Palette | undefined;
}

/** `frameNumber` counts from 1. Throws RangeError for a palette image whose tables cannot be read. */
export function gradingOf(attributes: Attributes, frame: Frame, frameNumber: number, contrast: Contrast, invert: boolean): Grading {
  const { layout } = frame;
  const colour = layout.samples === 3 || layout.photometric === 'PALETTE COLOR';
  const modality: Modality = colour ? { kind: 'rescale', slope: 1, intercept: 0 } : modalityOf(attributes, frameNumber, layout.signed);
  const palette = layout.photometric === 'PALETTE COLOR' ? readPalette(attributes, layout.signed) : undefined;
  if (layout.photometric === 'PALETTE COLOR' && !palette) throw new RangeError('palette');
  const ownInversion = !colour && (layout.photometric === 'MONOCHROME1' || text(attributes, PRESENTATION_LUT_SHAPE) === 'INVERSE');
  const inverted = ownInversion !== invert;
  if (contrast.kind === 'own') return { modality, voi: contrast.voi, inverted, palette };
  if (palette) return { modality, voi: windowOfRange(0, 255), inverted, palette };
  const choices = colour || contrast.kind === 'full' ? [] : voiChoices(attributes, frameNumber, layout.signed || couldBeNegative(modality));
  const choice = contrast.kind === 'file' ? (choices[contrast.choice] ?? choices[0]) : undefined;
  return { modality, voi: choice?.voi ?? fullRange(attributes, frame, modality), inverted, palette };
}

function couldBeNegative(modality: Modality): boolean {
  return modality.kind === 'rescale' && modality.intercept < 0;
}
