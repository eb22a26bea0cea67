/** The list in memory: what was asked, what came, what is new. Thrown away when the session ends. */
import { ApiError } from '../../api/http';
import { status } from '../../api/session';
import { searchStudies } from '../../api/studies';
import type { Missing, Study } from '../../api/types';
import { fromField } from '../../lib/dicomDate';

const PAGE = 50;
const TYPING = 250;
const NOTHING_MISSING: Missing = { images: 0, decisions: false };

export class StudyList {
  text = $state('');
  modality = $state('');
  /** as the date fields hold them: YYYY-MM-DD or "" */
  from = $state('');
  to = $state('');
  studies = $state.raw<Study[]>([]);
  total = $state(0);
  waiting = $state(0);
  /** what the box had received and does not hold any more */
  missing = $state.raw<Missing>(NOTHING_MISSING);
  /** images kept out of sight, because another one has their identifier */
  quarantined = $state(0);
  /** studies that arrived while the page was open and stand further down than it was loaded */
  below = $state(0);
  order = $state<'study' | 'received'>('study');
  loading = $state(true);
  failed = $state(false);
  /** keys that arrived while the page was open */
  fresh = $state.raw<ReadonlySet<string>>(new Set());
  /** how many arrived with the last change, to be announced */
  arrived = $state(0);
  scroll = 0;
  #known = new Set<string>();
  #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pending = false;
  #busy = false;

  readonly filtered = $derived(this.text.trim() !== '' || this.modality !== '' || this.from !== '' || this.to !== '');
  readonly more = $derived(this.studies.length < this.total);

  /** The reader changed the question: ask again once the typing pauses. */
  ask(delay = TYPING): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#load('ask'), delay);
  }

  reset(): void {
    this.text = this.modality = this.from = this.to = '';
    this.ask(0);
  }

  async next(): Promise<void> {
    if (!this.loading && this.more && !this.failed) await this.#load('next');
  }

  /** Something changed on the box; several changes in a row are one refresh. */
  async changed(): Promise<void> {
    if (this.#busy) {
      this.#pending = true;
      return;
    }
    this.#busy = true;
    try {
      do {
        this.#pending = false;
        await this.#load('refresh');
      } while (this.#pending);
    } finally {
      this.#busy = false;
    }
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#controller.abort();
    this.studies = [];
    this.fresh = new Set();
    this.#known.clear();
    this.text = this.modality = this.from = this.to = '';
    this.total = this.waiting = this.arrived = 0;
    this.missing = NOTHING_MISSING;
    this.quarantined = this.below = 0;
    this.order = 'study';
  }

  async #load(why: 'ask' | 'next' | 'refresh'): Promise<void> {
    // A refresh must not take an answer away that the reader is waiting for.
    if (why === 'refresh' && this.loading) why = 'ask';
    this.#controller.abort();
    const controller = new AbortController();
    this.#controller = controller;
    if (why !== 'refresh') this.loading = true;
    const offset = why === 'next' ? this.studies.length : 0;
    const search = { text: this.text.trim(), modality: this.modality, date_from: fromField(this.from), date_to: fromField(this.to), order: this.order, offset, limit: PAGE };
    try {
      const [found, box] = await Promise.all([searchStudies(search, controller.signal), status(controller.signal)]);
      if (controller.signal.aborted) return;
      this.#take(why, found.studies, found.total);
      this.waiting = box.waiting;
      this.missing = found.missing;
      this.quarantined = found.quarantined;
      this.failed = false;
    } catch (error) {
      if (controller.signal.aborted) return;
      if (why === 'refresh' && error instanceof ApiError && error.code === 'unreachable') return;
      this.failed = true;
      // Rows that answer another question must not stand below this one.
      if (why === 'ask') this.studies = [];
    } finally {
      if (this.#controller === controller) this.loading = false;
    }
  }

  #take(why: 'ask' | 'next' | 'refresh', rows: Study[], total: number): void {
    if (why === 'next') {
      const here = new Set(this.studies.map((study) => study.key));
      this.studies = [...this.studies, ...rows.filter((study) => !here.has(study.key))];
    } else {
      if (why === 'refresh') {
        const newcomers = rows.filter((study) => !this.#known.has(study.key));
        // What has an older date stands further down, where nobody would see it come.
        this.below += Math.max(0, total - this.total - newcomers.length);
        if (newcomers.length > 0) {
          this.fresh = new Set([...this.fresh, ...newcomers.map((study) => study.key)]);
          this.arrived = newcomers.length;
        }
        // A refresh brings the first page; older rows stay, pushed down by as many as arrived.
        const here = new Set(rows.map((study) => study.key));
        const kept = rows.length < total ? this.studies.slice(Math.max(0, rows.length - newcomers.length)) : [];
        rows = [...rows, ...kept.filter((study) => !here.has(study.key))];
      }
      if (why === 'ask') this.below = 0;
      this.studies = rows;
    }
    for (const study of rows) this.#known.add(study.key);
    this.total = total;
  }
}
