/** Studies and series: searches go by POST, so that no address ever holds a name. */
import { json, send } from './http';
import type { SeriesContents, StudyContents, StudyList, StudySearch } from './types';

export const searchStudies = async (search: StudySearch, signal?: AbortSignal) =>
  json<StudyList>(await send('POST', '/api/studies/search', search, signal));

export const study = async (key: string, signal?: AbortSignal) =>
  json<StudyContents>(await send('GET', `/api/studies/${encodeURIComponent(key)}`, undefined, signal));

export const series = async (key: string, signal?: AbortSignal) =>
  json<SeriesContents>(await send('GET', `/api/series/${encodeURIComponent(key)}`, undefined, signal));
