import { describe, expect, it } from 'vitest';
import { fit, isExact, oneToOne, pan, resized, zoomAt } from '../src/lib/view';

const image = { width: 200, height: 100 };
const canvas = { width: 1001, height: 801 };

describe('the view', () => {
  it('fit shows the whole image in the middle', () => {
    const view = fit(image, canvas, 1);
    expect(view.scale).toBeCloseTo(5.005);
    expect(view.x).toBeCloseTo(0);
    expect(view.y).toBeCloseTo((801 - 500.5) / 2);
  });
  it('tall pixels make a taller picture', () => {
    expect(fit({ width: 100, height: 100 }, { width: 400, height: 400 }, 2).scale).toBe(2);
  });
  it('one to one lies on whole pixels, and stays there when moved or resized', () => {
    const view = oneToOne(image, canvas);
    expect(isExact(view) && Number.isInteger(view.x) && Number.isInteger(view.y)).toBe(true);
    const moved = pan(view, 3.4, -7.8, image, canvas);
    expect([moved.x, moved.y].every(Number.isInteger)).toBe(true);
    const turned = resized(moved, canvas, { width: 700, height: 900 });
    expect([turned.x, turned.y].every(Number.isInteger)).toBe(true);
  });
  it('zooming keeps the point under the finger', () => {
    const view = { x: 10, y: 20, scale: 2, aspect: 1.5 };
    const near = zoomAt(view, 1.7, 110, 220);
    expect((110 - near.x) / near.scale).toBeCloseTo((110 - view.x) / view.scale);
    expect((220 - near.y) / near.scale).toBeCloseTo((220 - view.y) / view.scale);
  });
  it('an image cannot be lost off the canvas', () => {
    const gone = pan(oneToOne(image, canvas), 9999, -9999, image, canvas);
    expect(gone.x).toBeLessThan(canvas.width);
    expect(gone.y + image.height).toBeGreaterThan(0);
  });
});
