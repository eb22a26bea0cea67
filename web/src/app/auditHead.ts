/**
 * The head of the box's audit log as this browser saw it last: a number and a digest, nothing of a patient. A box whose
 * disk was put back to an earlier day does not know it any more, and says so at the next login.
 */
import type { AuditHead } from '../api/types';
import { read, write } from './language.svelte';

const STORED = 'negatoscope.auditHead';

export function recall(): AuditHead | undefined {
  const [seq = '', hash = ''] = (read(STORED) ?? '').split(':');
  return /^\d{1,15}$/.test(seq) && /^[0-9a-f]{64}$/.test(hash) ? { seq: Number(seq), hash } : undefined;
}

export function remember(head: AuditHead): void {
  write(STORED, `${head.seq}:${head.hash}`);
}
