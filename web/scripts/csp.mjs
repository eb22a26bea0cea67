/** Fails when the built page holds anything the served Content-Security-Policy would block. */
import { readFileSync, readdirSync } from 'node:fs';

const dist = new URL('../dist/', import.meta.url);
const html = readFileSync(new URL('index.html', dist), 'utf8');
const found = [];
if (/<script(?![^>]*\bsrc=)[^>]*>/i.test(html)) found.push('an inline script in index.html');
if (/<style/i.test(html) || /\sstyle=/i.test(html)) found.push('an inline style in index.html');
if (/\son[a-z]+=/i.test(html)) found.push('an inline event handler in index.html');
if (/(src|href)="(https?:)?\/\//i.test(html)) found.push('an address of another origin in index.html');
for (const name of readdirSync(new URL('assets/', dist))) {
  const text = readFileSync(new URL(`assets/${name}`, dist), 'utf8');
  if (name.endsWith('.css') && /@import|url\(["']?(https?:)?\/\//.test(text)) found.push(`a foreign address in ${name}`);
  if (!name.endsWith('.js')) continue;
  if (/<[a-z]+[^<>`]*\sstyle=/.test(text)) found.push(`a style attribute inside a template in ${name}`);
  if (/\beval\(|new Function\(/.test(text)) found.push(`code from text in ${name}`);
}
for (const one of found) console.error(`blocked by the policy: ${one}`);
if (found.length === 0) console.log('nothing in dist needs more than the policy allows');
process.exit(found.length ? 1 : 0);
