/** The address after the #: opaque keys and switches, never anything of a patient. */

export interface Route {
  page: 'studies' | 'study' | 'devices';
  key: string;
  /** `?gl=off` draws without WebGL */
  gl: boolean;
}

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?');
  const gl = new URLSearchParams(query).get('gl') !== 'off';
  const match = /^\/study\/([A-Za-z0-9_~.=-]{1,200})$/.exec(path);
  if (match?.[1]) return { page: 'study', key: match[1], gl };
  if (path === '/devices') return { page: 'devices', key: '', gl };
  return { page: 'studies', key: '', gl };
}

export function renderRoute(route: Route): string {
  const query = route.gl ? '' : '?gl=off';
  if (route.page === 'devices') return `#/devices${query}`;
  return route.page === 'study' ? `#/study/${route.key}${query}` : `#/${query}`;
}
