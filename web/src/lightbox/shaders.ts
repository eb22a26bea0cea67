/** The two WebGL programs: stored values to screen levels, then the picture onto the light box. */

export const VERTEX = `#version 300 es
void main() {
  vec2 corner = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}`;

/** One texel in, one texel out: integers only, so nothing is rounded twice. */
export const GRADE = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
uniform usampler2D stored;
uniform usampler2D levels;
uniform int kind; // 0 grey, 1 palette, 2 each sample of RGB
out vec4 screen;
uvec3 entry(uint pattern) {
  return texelFetch(levels, ivec2(int(pattern & 255u), int(pattern >> 8u)), 0).rgb;
}
void main() {
  uvec3 sample3 = texelFetch(stored, ivec2(gl_FragCoord.xy), 0).rgb;
  uvec3 level = entry(sample3.r);
  if (kind == 0) level = level.rrr;
  if (kind == 2) level = uvec3(level.r, entry(sample3.g).r, entry(sample3.b).r);
  screen = vec4(vec3(level) / 255.0, 1.0);
}`;

/** Exact pictures are fetched texel by texel; others are filtered, over mipmaps when smaller than life. */
export const PLACE = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
uniform sampler2D picture;
uniform vec2 origin;
uniform vec2 scale;
uniform float height;
uniform bool exact;
uniform bool grey;
out vec4 screen;
void main() {
  vec2 device = vec2(gl_FragCoord.x, height - gl_FragCoord.y);
  vec2 at = (device - origin) / scale;
  vec2 size = vec2(textureSize(picture, 0));
  vec2 place = at / size;
  vec4 colour = exact ? texelFetch(picture, ivec2(clamp(floor(at), vec2(0.0), size - 1.0)), 0) : texture(picture, place, -0.5);
  bool outside = any(lessThan(at, vec2(0.0))) || any(greaterThanEqual(at, size));
  screen = outside ? vec4(0.0, 0.0, 0.0, 1.0) : vec4(grey ? colour.rrr : colour.rgb, 1.0);
}`;
