/** Studies and series: searches go by POST, so that no address ever holds a name. */
import { api, data } from './http';
import type { StudySearch } from './types';

export const searchStudies = (body: StudySearch, signal: AbortSignal | null = null) =>
  data(api.POST('/api/studies/search', { body, signal }));

export const study = (key: string, signal: AbortSignal | null = null) =>
  data(api.GET('/api/studies/{key}', { params: { path: { key } }, signal }));

export const series = (key: string, signal: AbortSignal | null = null) =>
  data(api.GET('/api/series/{key}', { params: { path: { key } }, signal }));
