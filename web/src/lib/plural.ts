/** Chooses between the message for one and the message for several, as the language counts. */
export function plural<T>(locale: string, n: number, one: T, other: T): T {
  return new Intl.PluralRules(locale).select(n) === 'one' ? one : other;
}
