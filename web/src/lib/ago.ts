/** How long ago something was, in words. */
const STEPS: readonly (readonly [below: number, unit: number, name: Intl.RelativeTimeFormatUnit])[] = [
  [60, 1, 'second'], [3600, 60, 'minute'], [86_400, 3600, 'hour'], [Infinity, 86_400, 'day'],
];

/** `moment` and `now` in Unix seconds; a moment to come is now. */
export function ago(locale: string, moment: number, now: number): string {
  const past = Math.max(0, now - moment);
  const step = STEPS.find(([below]) => past < below) ?? [Infinity, 86_400, 'day'];
  return new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(-Math.floor(past / step[1]), step[2]);
}
