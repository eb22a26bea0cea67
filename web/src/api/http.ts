/** The client of every route, typed by the appliance's schema; every way of failing becomes an ApiError. */
import createClient from 'openapi-fetch';
import type { paths } from './schema';

export type ErrorCode =
  | 'bad_input' | 'not_logged_in' | 'refused' | 'not_found' | 'locked' | 'damaged' | 'environment' | 'not_claimed' | 'unreachable';

const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'bad_input', 401: 'not_logged_in', 403: 'refused', 404: 'not_found', 423: 'locked', 503: 'environment',
};
const CODES: ReadonlySet<string> = new Set([...Object.values(BY_STATUS), 'damaged', 'not_claimed']);

export class ApiError extends Error {
  constructor(
    readonly code: ErrorCode,
    readonly status: number,
  ) {
    super(code);
    this.name = 'ApiError';
  }
}

let sessionEnded: (code: 'not_logged_in' | 'locked') => void = () => undefined;

/** `hear` is told whenever an answer says that the session or the archive is closed. */
export function onSessionEnd(hear: typeof sessionEnded): void {
  sessionEnded = hear;
}

const client = createClient<paths>({
  fetch: send,
  credentials: 'same-origin',
  cache: 'no-store',
  referrerPolicy: 'no-referrer',
});

/** Calls reject with an ApiError, or with the signal's AbortError; what they resolve to goes through `data`. */
export const api: Pick<typeof client, 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'> = client;

/** Returns the body of an answer. A body that is not what the schema says rejects with an ApiError. */
export async function data<T>(call: Promise<{ data?: T; response: Response }>): Promise<T> {
  try {
    return (await call).data as T;
  } catch (error) {
    if (error instanceof ApiError || (error instanceof DOMException && error.name === 'AbortError')) throw error;
    throw new ApiError(error instanceof SyntaxError ? 'damaged' : 'unreachable', 0);
  }
}

async function send(request: Request): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(request);
  } catch (error) {
    request.signal.throwIfAborted();
    throw error instanceof DOMException && error.name === 'AbortError' ? error : new ApiError('unreachable', 0);
  }
  if (answer.ok) return answer;
  const code = await errorCode(answer);
  if (code === 'not_logged_in' || code === 'locked') sessionEnded(code);
  throw new ApiError(code, answer.status);
}

async function errorCode(answer: Response): Promise<ErrorCode> {
  // A proxy in between answers for a box that does not.
  if (answer.status === 502 || answer.status === 504) return 'unreachable';
  const body = (await answer.json().catch(() => undefined)) as { error?: string } | undefined;
  const said = body?.error;
  if (said !== undefined && CODES.has(said)) return said as ErrorCode;
  return BY_STATUS[answer.status] ?? 'damaged';
}
