/** What the appliance and the page say to each other, field by field. */
import type { Attributes } from '../lib/attributes';

export interface Status {
  locked: boolean;
  /** images received and not yet settled */
  waiting: number;
  version: string;
}

export interface Session {
  user: string;
  role: 'owner' | 'doctor' | 'assistant' | 'technician';
}

/** The last line of the box's audit log: its number, its SHA-256 in hex. */
export interface AuditHead {
  seq: number;
  hash: string;
}

/** A session that was just opened; `rolled_back` when the log does not hold the head that was sent along any more. */
export interface Opening extends Session {
  audit_head: AuditHead;
  rolled_back: boolean;
}

export interface StudySearch {
  text: string;
  modality: string;
  /** YYYYMMDD or "" */
  date_from: string;
  date_to: string;
  offset: number;
  limit: number;
}

export interface Study {
  key: string;
  /** DICOM PN, alphabetic: "DUPONT^Marie" */
  patient_name: string;
  patient_id: string;
  /** YYYYMMDD or "" */
  birth_date: string;
  sex: string;
  study_date: string;
  study_time: string;
  description: string;
  modalities: string[];
  series_count: number;
  instance_count: number;
  /** RFC 3339 */
  received: string;
}

export interface StudyList {
  total: number;
  studies: Study[];
}

export interface SeriesSummary {
  key: string;
  modality: string;
  number: number | null;
  description: string;
  instance_count: number;
}

export interface StudyContents {
  study: Study;
  series: SeriesSummary[];
}

export interface SeriesContents {
  key: string;
  instances: { key: string; frames: number; attributes: Attributes }[];
}

export interface ErrorBody {
  error: string;
  message: string;
  next_step: string;
}
