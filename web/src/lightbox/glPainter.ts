/** Paints with WebGL2; after a lost context it builds itself up again and repeats its last picture. */
import type { DisplayTable } from '../lib/displayTable';
import type { Frame } from '../lib/frame';
import { type View, isExact } from '../lib/view';
import type { Painter } from './painter';
import { GRADE, PLACE, VERTEX } from './shaders';

interface Gpu {
  grade: WebGLProgram;
  place: WebGLProgram;
  stored: WebGLTexture;
  levels: WebGLTexture;
  picture: WebGLTexture;
  target: WebGLFramebuffer;
  uniform: (program: WebGLProgram, name: string) => WebGLUniformLocation | null;
}

export class GlPainter implements Painter {
  readonly kind = 'webgl2';
  readonly limit: number;
  readonly #gl: WebGL2RenderingContext;
  #gpu: Gpu | undefined;
  #uploaded: Frame | undefined;
  #frame: Frame | undefined;
  #table: DisplayTable | undefined;
  readonly #lost: (event: Event) => void;
  readonly #restored: () => void;

  /** Throws when there is no WebGL2. `onRestored` is called once a lost context is back and must be drawn again. */
  constructor(
    readonly canvas: HTMLCanvasElement,
    onRestored: () => void,
  ) {
    const gl = canvas.getContext('webgl2', { alpha: false, antialias: false, depth: false, preserveDrawingBuffer: true });
    if (!gl || gl.isContextLost()) throw new Error('no WebGL2');
    this.#gl = gl;
    this.limit = Math.min(gl.getParameter(gl.MAX_TEXTURE_SIZE) as number, 16384);
    this.#gpu = build(gl);
    this.#lost = (event) => {
      event.preventDefault();
      this.#gpu = undefined;
      this.#uploaded = undefined;
    };
    this.#restored = () => {
      this.#gpu = build(gl);
      if (this.#frame && this.#table) this.load(this.#frame, this.#table);
      onRestored();
    };
    canvas.addEventListener('webglcontextlost', this.#lost);
    canvas.addEventListener('webglcontextrestored', this.#restored);
  }

  load(frame: Frame, table: DisplayTable): void {
    const gl = this.#gl;
    const gpu = this.#gpu;
    const before = this.#uploaded?.layout;
    this.#frame = frame;
    this.#table = table;
    if (!gpu || gl.isContextLost()) return;
    const { columns, rows, samples, bits } = frame.layout;
    const grey = samples === 1 && table.channels === 1;
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    if (this.#uploaded !== frame) {
      gl.activeTexture(gl.TEXTURE0);
      gl.bindTexture(gl.TEXTURE_2D, gpu.stored);
      const wide = bits === 16;
      const inner = samples === 3 ? (wide ? gl.RGB16UI : gl.RGB8UI) : wide ? gl.R16UI : gl.R8UI;
      const outer = samples === 3 ? gl.RGB_INTEGER : gl.RED_INTEGER;
      const type = wide ? gl.UNSIGNED_SHORT : gl.UNSIGNED_BYTE;
      const same = before && before.columns === columns && before.rows === rows && before.samples === samples && before.bits === bits;
      if (same) gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, columns, rows, outer, type, frame.pixels);
      else gl.texImage2D(gl.TEXTURE_2D, 0, inner, columns, rows, 0, outer, type, frame.pixels);
      this.#uploaded = frame;
    }
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, gpu.levels);
    const width = 256;
    const height = table.levels.length / table.channels / width;
    if (table.channels === 3) gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB8UI, width, height, 0, gl.RGB_INTEGER, gl.UNSIGNED_BYTE, table.levels);
    else gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8UI, width, height, 0, gl.RED_INTEGER, gl.UNSIGNED_BYTE, table.levels);
    gl.activeTexture(gl.TEXTURE2);
    gl.bindTexture(gl.TEXTURE_2D, gpu.picture);
    if (grey) gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, columns, rows, 0, gl.RED, gl.UNSIGNED_BYTE, null);
    else gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, columns, rows, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
    gl.bindFramebuffer(gl.FRAMEBUFFER, gpu.target);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, gpu.picture, 0);
    gl.viewport(0, 0, columns, rows);
    gl.useProgram(gpu.grade);
    gl.uniform1i(gpu.uniform(gpu.grade, 'stored'), 0);
    gl.uniform1i(gpu.uniform(gpu.grade, 'levels'), 1);
    gl.uniform1i(gpu.uniform(gpu.grade, 'kind'), samples === 3 ? 2 : table.channels === 3 ? 1 : 0);
    gl.bindTexture(gl.TEXTURE_2D, null);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.bindTexture(gl.TEXTURE_2D, gpu.picture);
    gl.generateMipmap(gl.TEXTURE_2D);
  }

  draw(view: View | null): boolean {
    const gl = this.#gl;
    const gpu = this.#gpu;
    if (!gpu || gl.isContextLost()) return false;
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (!view || !this.#frame || !this.#table) return true;
    gl.useProgram(gpu.place);
    gl.activeTexture(gl.TEXTURE2);
    gl.bindTexture(gl.TEXTURE_2D, gpu.picture);
    gl.uniform1i(gpu.uniform(gpu.place, 'picture'), 2);
    gl.uniform2f(gpu.uniform(gpu.place, 'origin'), view.x, view.y);
    gl.uniform2f(gpu.uniform(gpu.place, 'scale'), view.scale, view.scale * view.aspect);
    gl.uniform1f(gpu.uniform(gpu.place, 'height'), this.canvas.height);
    gl.uniform1i(gpu.uniform(gpu.place, 'exact'), isExact(view) ? 1 : 0);
    gl.uniform1i(gpu.uniform(gpu.place, 'grey'), this.#frame.layout.samples === 1 && this.#table.channels === 1 ? 1 : 0);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    return true;
  }

  destroy(): void {
    this.canvas.removeEventListener('webglcontextlost', this.#lost);
    this.canvas.removeEventListener('webglcontextrestored', this.#restored);
    this.#frame = this.#uploaded = undefined;
    this.#gl.getExtension('WEBGL_lose_context')?.loseContext();
  }
}

function build(gl: WebGL2RenderingContext): Gpu {
  const locations = new Map<WebGLProgram, Map<string, WebGLUniformLocation | null>>();
  const uniform = (program: WebGLProgram, name: string) => {
    const known = locations.get(program) ?? new Map<string, WebGLUniformLocation | null>();
    locations.set(program, known);
    if (!known.has(name)) known.set(name, gl.getUniformLocation(program, name));
    return known.get(name) ?? null;
  };
  const gpu: Gpu = {
    grade: link(gl, GRADE),
    place: link(gl, PLACE),
    stored: texture(gl, gl.NEAREST, gl.NEAREST),
    levels: texture(gl, gl.NEAREST, gl.NEAREST),
    picture: texture(gl, gl.LINEAR_MIPMAP_LINEAR, gl.LINEAR),
    target: gl.createFramebuffer(),
    uniform,
  };
  gl.disable(gl.DITHER);
  return gpu;
}

function texture(gl: WebGL2RenderingContext, smaller: number, larger: number): WebGLTexture {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, smaller);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, larger);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  return made;
}

function link(gl: WebGL2RenderingContext, fragment: string): WebGLProgram {
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, fragment],
  ] as const) {
    const shader = gl.createShader(kind);
    if (!shader) throw new Error('no shader');
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error('shaders do not link');
  return program;
}
