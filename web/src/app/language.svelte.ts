/** French or English: the browser's wish at first, then what the reader chose. */
import { overwriteGetLocale } from '../lib/paraglide/runtime';

export type Language = 'en' | 'fr';

const STORED = 'negatoscope.language';

const isLanguage = (value: unknown): value is Language => value === 'en' || value === 'fr';

function first(): Language {
  const stored = read(STORED);
  if (isLanguage(stored)) return stored;
  return navigator.language.toLowerCase().startsWith('fr') ? 'fr' : 'en';
}

/** Storage may be forbidden; then the choice lasts as long as the page. */
export function read(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

export function write(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Not remembered, and nothing else is lost.
  }
}

let current = $state<Language>(first());

export const language = {
  get current(): Language {
    return current;
  },
  set(next: Language): void {
    current = next;
    write(STORED, next);
    document.documentElement.lang = next;
  },
};

overwriteGetLocale(() => current);
document.documentElement.lang = first();
