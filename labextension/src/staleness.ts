import { IJob, isOpen } from './types';

/** A job as `GET cells` describes it: with all of the code that it ran, as far as it was kept. */
export interface ICellJob extends IJob {
  code: string;
}

/** What a cell's metadata says, under the key `choline`: which job its outputs are of, and that they are all there. */
export interface ICellMark {
  job: string;
  isComplete: boolean;
}

/** What is to be known of a cell to decide. */
export interface ICellFacts {
  source: string;
  mark: ICellMark | null;
  /** Whether this page is running the cell, so that its kernel's messages are coming in here. */
  isLive: boolean;
}

/** The server keeps this much of a job's code. */
const KEPT = 64 * 1024;

/**
 * Whether a cell is to be filled in from the record.
 *
 * It is not when this page shows it live, when it is complete already (the user may have cleared it since), when its
 * code is another than the job's, and when the output is no longer kept.
 */
export function needsFilling(cell: ICellFacts, job: ICellJob): boolean {
  if (cell.isLive || job.evicted || !ranCode(cell.source, job.code)) {
    return false;
  }
  return !(cell.mark?.job === job.id && cell.mark.isComplete && !isOpen(job));
}

/** Whether a job ran the cell as it stands now: the same code behind a `%%choline` line. */
export function ranCode(source: string, code: string): boolean {
  const match = /^%%choline(?:[ \t][^\n]*)?(?:\n|$)/.exec(source);
  if (!match) {
    return false;
  }
  const body = source.slice(match[0].length).replace(/\n$/, '');
  const kept = code.replace(/\n$/, '');
  // Of longer code the beginning is kept, to a whole character.
  return kept.length < KEPT / 4 - 1 ? body === kept : body.startsWith(kept);
}
