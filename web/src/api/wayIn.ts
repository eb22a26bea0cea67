/** The way in from the internet: what is known, and asking the router again. */
import { api, data } from './http';

export const wayIn = (signal: AbortSignal | null = null) => data(api.GET('/api/way-in', { signal }));

export const lookAgain = () => data(api.POST('/api/way-in'));
