/** Light, dark, or as the device says. The viewer stays dark whatever is chosen. */
import { read, write } from './language.svelte';

export type Theme = 'auto' | 'light' | 'dark';

const STORED = 'negatoscope.theme';
const device = matchMedia('(prefers-color-scheme: light)');

function first(): Theme {
  const stored = read(STORED);
  return stored === 'light' || stored === 'dark' ? stored : 'auto';
}

let current = $state<Theme>(first());

function apply(): void {
  const light = current === 'light' || (current === 'auto' && device.matches);
  document.documentElement.dataset['theme'] = light ? 'light' : 'dark';
  document.querySelector('meta[name="theme-color"]')?.setAttribute('content', light ? '#eef1f3' : '#0b0d10');
}

export const theme = {
  get current(): Theme {
    return current;
  },
  set(next: Theme): void {
    current = next;
    write(STORED, next);
    apply();
  },
};

device.addEventListener('change', apply);
apply();
