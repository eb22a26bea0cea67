/** Sends one request and turns every way of failing into an ApiError. */
import type { ErrorBody } from './types';

export type ErrorCode =
  | 'bad_input' | 'not_logged_in' | 'refused' | 'not_found' | 'locked' | 'damaged' | 'environment' | 'unreachable';

const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'bad_input', 401: 'not_logged_in', 403: 'refused', 404: 'not_found', 423: 'locked', 503: 'environment',
};
const CODES: ReadonlySet<string> = new Set([...Object.values(BY_STATUS), 'damaged']);

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

/** Rejects with an ApiError, or with the signal's AbortError. */
export async function send(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const init: RequestInit = { method, credentials: 'same-origin', cache: 'no-store', referrerPolicy: 'no-referrer' };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { 'Content-Type': 'application/json' };
  }
  if (signal) init.signal = signal;
  let answer: Response;
  try {
    answer = await fetch(path, init);
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof DOMException && error.name === 'AbortError' ? error : new ApiError('unreachable', 0);
  }
  if (answer.ok) return answer;
  const code = await errorCode(answer);
  if (code === 'not_logged_in' || code === 'locked') sessionEnded(code);
  throw new ApiError(code, answer.status);
}

export async function json<T>(answer: Response): Promise<T> {
  try {
    return (await answer.json()) as T;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(error instanceof SyntaxError ? 'damaged' : 'unreachable', answer.status);
  }
}

async function errorCode(answer: Response): Promise<ErrorCode> {
  // A proxy in between answers for a box that does not.
  if (answer.status === 502 || answer.status === 504) return 'unreachable';
  const body = (await answer.json().catch(() => undefined)) as Partial<ErrorBody> | undefined;
  const said = body?.error;
  if (said !== undefined && CODES.has(said)) return said as ErrorCode;
  return BY_STATUS[answer.status] ?? 'damaged';
}
