/** Fails when the built page is heavier than its budget: 120 kB of JavaScript and 16 kB of CSS, gzipped. */
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const BUDGET = { js: 120_000, css: 16_000 };
const folder = new URL('../dist/assets/', import.meta.url);
const total = { js: 0, css: 0 };
for (const name of readdirSync(folder)) {
  const kind = name.split('.').pop();
  if (kind in total) total[kind] += gzipSync(readFileSync(new URL(name, folder))).length;
}
let over = false;
for (const [kind, limit] of Object.entries(BUDGET)) {
  const fits = total[kind] > 0 && total[kind] <= limit;
  over ||= !fits;
  console.log(`${kind}: ${total[kind]} of ${limit} bytes gzipped${fits ? '' : '  <- over budget or missing'}`);
}
process.exit(over ? 1 : 0);
