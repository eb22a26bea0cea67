/** Where an image lies on the canvas: pure geometry in device pixels. */

export interface Size {
  width: number;
  height: number;
}

/** Image pixel (0,0) begins at (x, y); one image pixel is `scale` wide and `scale * aspect` high. */
export interface View {
  x: number;
  y: number;
  scale: number;
  aspect: number;
}

const SMALLEST = 1 / 64;
const LARGEST = 64;

export function fit(image: Size, canvas: Size, aspect: number): View {
  const scale = Math.max(Math.min(canvas.width / image.width, canvas.height / (image.height * aspect)), SMALLEST);
  return center(image, canvas, { x: 0, y: 0, scale, aspect });
}

/** One image pixel to one device pixel, on whole pixels, the middle of the image in the middle. */
export function oneToOne(image: Size, canvas: Size): View {
  const x = Math.round((canvas.width - image.width) / 2);
  const y = Math.round((canvas.height - image.height) / 2);
  return { x, y, scale: 1, aspect: 1 };
}

function center(image: Size, canvas: Size, view: View): View {
  const x = (canvas.width - image.width * view.scale) / 2;
  const y = (canvas.height - image.height * view.scale * view.aspect) / 2;
  return { ...view, x, y };
}

/** Zooms by `factor` while the point (px, py) of the canvas keeps showing the same place of the image. */
export function zoomAt(view: View, factor: number, px: number, py: number): View {
  const scale = Math.min(Math.max(view.scale * factor, SMALLEST), LARGEST);
  const ratio = scale / view.scale;
  return { ...view, scale, x: px - (px - view.x) * ratio, y: py - (py - view.y) * ratio };
}

/** Moves the image, but never so far that less than a small part of it stays on the canvas. */
export function pan(view: View, dx: number, dy: number, image: Size, canvas: Size): View {
  const width = image.width * view.scale;
  const height = image.height * view.scale * view.aspect;
  const keep = Math.min(48, canvas.width / 4, canvas.height / 4);
  const x = Math.min(Math.max(view.x + dx, keep - width), canvas.width - keep);
  const y = Math.min(Math.max(view.y + dy, keep - height), canvas.height - keep);
  return isExact(view) ? { ...view, x: Math.round(x), y: Math.round(y) } : { ...view, x, y };
}

/** After the canvas changed its size, the same image point stays in the middle. */
export function resized(view: View, before: Size, after: Size): View {
  const x = view.x + (after.width - before.width) / 2;
  const y = view.y + (after.height - before.height) / 2;
  return isExact(view) ? { ...view, x: Math.round(x), y: Math.round(y) } : { ...view, x, y };
}

export function isExact(view: View): boolean {
  return view.scale === 1 && view.aspect === 1;
}
