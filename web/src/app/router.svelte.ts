/** The current route, from the part of the address after the #. */
import { type Route, parseRoute, renderRoute } from '../lib/route';

let current = $state.raw<Route>(parseRoute(location.hash));

addEventListener('hashchange', () => {
  current = parseRoute(location.hash);
});

export const router = {
  get current(): Route {
    return current;
  },
  link(page: Route['page'], key = ''): string {
    return renderRoute({ page, key, gl: current.gl });
  },
  go(page: Route['page'], key = ''): void {
    location.hash = router.link(page, key);
  },
};
