/** The height of a pixel over its width, from its spacing or its aspect ratio (PS3.3 C.7.6.3.1.7, 10.7.1.3). */
import { type Attributes, items, numbers } from './attributes';

const PIXEL_SPACING = '00280030';
const IMAGER_PIXEL_SPACING = '00181164';
const PIXEL_ASPECT_RATIO = '00280034';
const PIXEL_MEASURES = '00289110';
const SHARED = '52009229';

export function pixelAspect(attributes: Attributes): number {
  const shared = items(attributes, SHARED)[0];
  const measures = shared && items(shared, PIXEL_MEASURES)[0];
  for (const pair of [
    numbers(attributes, PIXEL_SPACING),
    measures ? numbers(measures, PIXEL_SPACING) : [],
    numbers(attributes, IMAGER_PIXEL_SPACING),
    numbers(attributes, PIXEL_ASPECT_RATIO),
  ]) {
    const [vertical, horizontal] = pair;
    if (vertical && horizontal && vertical > 0 && horizontal > 0) {
      const ratio = vertical / horizontal;
      if (Math.abs(ratio - 1) < 0.01) return 1;
      return ratio >= 0.05 && ratio <= 20 ? ratio : 1;
    }
  }
  return 1;
}
