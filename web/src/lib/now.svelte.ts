/** The time in whole seconds, for what is shown as "so long ago"; it ticks once a second while somebody looks at it. */
import { createSubscriber } from 'svelte/reactivity';

const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, 1000);
  return () => clearInterval(timer);
});

export const now = {
  get seconds(): number {
    subscribe();
    return Math.floor(Date.now() / 1000);
  },
};
