/** Which key does what in the viewer: the handler and the help sheet read the same table. */

export type Command =
  | 'next' | 'previous' | 'nextTen' | 'previousTen' | 'first' | 'last' | 'nextSeries' | 'previousSeries'
  | 'play' | 'window' | 'pan' | 'invert' | 'zoomIn' | 'zoomOut' | 'fit' | 'exact' | 'reset' | 'info' | 'help' | 'back';

/** `keys` are values of KeyboardEvent.key; the first is shown in the help sheet. */
export const SHORTCUTS: readonly { command: Command; keys: readonly string[] }[] = [
  { command: 'next', keys: ['ArrowDown', 'ArrowRight'] },
  { command: 'previous', keys: ['ArrowUp', 'ArrowLeft'] },
  { command: 'nextTen', keys: ['PageDown'] },
  { command: 'previousTen', keys: ['PageUp'] },
  { command: 'first', keys: ['Home'] },
  { command: 'last', keys: ['End'] },
  { command: 'nextSeries', keys: ['s'] },
  { command: 'previousSeries', keys: ['S'] },
  { command: 'play', keys: [' '] },
  { command: 'window', keys: ['w'] },
  { command: 'pan', keys: ['p'] },
  { command: 'invert', keys: ['i'] },
  { command: 'zoomIn', keys: ['+', '='] },
  { command: 'zoomOut', keys: ['-'] },
  { command: 'fit', keys: ['f', '0'] },
  { command: 'exact', keys: ['1'] },
  { command: 'reset', keys: ['r'] },
  { command: 'info', keys: ['o'] },
  { command: 'help', keys: ['?'] },
  { command: 'back', keys: ['Escape'] },
];

/** The digit row of a French keyboard gives & and à without Shift: `code` recognises the same keys there. */
const CODES: Readonly<Record<string, Command>> = { Digit1: 'exact', Digit0: 'fit' };

export function commandOf(key: string, code: string): Command | undefined {
  return SHORTCUTS.find((shortcut) => shortcut.keys.includes(key))?.command ?? CODES[code];
}
