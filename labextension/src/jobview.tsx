import React from 'react';
import { baseName, formatAmount, formatDuration, formatMoney, summarise } from './format';
import { Sparkline } from './sparkline';
import { IJob, IProgress, isOpen } from './types';

/** What a job's view may have done. */
export interface IJobActions {
  interrupt(job: string): void;
  showCell(job: IJob): void;
  open(job: IJob): void;
}

const STATES: { [state: string]: string } = {
  queued: 'waits',
  running: 'runs',
  done: 'done',
  failed: 'failed',
  lost: 'its machine was lost',
  cancelled: 'cancelled'
};

/** Seconds left: as the program says, else as its pace so far would have it. */
export function estimateLeft(job: IJob, progress: IProgress, now: number): number | null {
  if (!isOpen(job)) {
    return null;
  }
  const spent = job.started === null ? 0 : now - job.started;
  return progress.left ?? (progress.done ? (spent * (progress.total - progress.done)) / progress.done : null);
}

export function Progress({ progress, left }: { progress: IProgress; left: number | null }): JSX.Element {
  const { done, total, rate } = progress;
  const text = [`${formatAmount(done)} of ${formatAmount(total)}`, rate, left === null ? '' : `${formatDuration(left)} left`];
  return (
    <div className="jp-choline-Progress">
      <progress max={total} value={done} aria-label="progress" />
      <span>{text.filter(Boolean).join(', ')}</span>
    </div>
  );
}

/** How long a job has run, or ran. */
export function describeTime(job: IJob, now: number): string {
  const end = job.ended ?? (isOpen(job) ? now : null);
  return job.started === null || end === null ? '' : formatDuration(end - job.started);
}

export function describeState(job: IJob): string {
  return job.ename && job.state !== 'done' ? `${STATES[job.state]}: ${job.ename}` : STATES[job.state];
}

/** What is known of a job that costs room: shown for open jobs and for those that were opened. */
function Details({ job, now }: { job: IJob; now: number }): JSX.Element {
  return (
    <>
      {job.progress && <Progress progress={job.progress} left={estimateLeft(job, job.progress, now)} />}
      {job.losses && <Sparkline values={job.losses} />}
      {job.evicted && <p className="jp-choline-Hint">Its output was deleted to make room.</p>}
      {job.tail && job.tail.length > 0 && (
        <pre className="jp-choline-Tail" tabIndex={0} aria-label="last lines of the output">
          {job.tail.join('\n')}
        </pre>
      )}
    </>
  );
}

/** One job: a button that unfolds it, and beside it what can be done with it. */
export function JobView(props: {
  job: IJob;
  where: string;
  /** USD so far; null where nothing costs anything. */
  cost: number | null;
  now: number;
  isUnfolded: boolean;
  actions: IJobActions;
}): JSX.Element {
  const { job, where, cost, now, isUnfolded, actions } = props;
  const title = job.name || summarise(job.code) || job.id;
  return (
    <li className="jp-choline-Item" data-job={job.id} data-state={job.state}>
      <div className="jp-choline-Head">
        <button
          type="button"
          className="jp-choline-Title"
          aria-expanded={isUnfolded}
          title={`${job.id}\n${job.code}`}
          onClick={() => actions.open(job)}
        >
          {title}
        </button>
        {isOpen(job) && (
          <button
            type="button"
            className="jp-choline-Button"
            aria-label={`Interrupt ${title}`}
            title="Interrupt: the session keeps its state"
            onClick={() => actions.interrupt(job.id)}
          >
            Interrupt
          </button>
        )}
      </div>
      <div className="jp-choline-Facts">
        <span className="jp-choline-State" data-state={job.state}>
          {describeState(job)}
        </span>
        <span>{describeTime(job, now)}</span>
        {cost !== null && <span title="an estimate">{formatMoney(cost)}</span>}
        <span>{where}</span>
        {job.notebook && (
          <button
            type="button"
            className="jp-choline-Link"
            title={`Show the cell in ${job.notebook}`}
            onClick={() => actions.showCell(job)}
          >
            {baseName(job.notebook)}
          </button>
        )}
      </div>
      {isUnfolded && <Details job={job} now={now} />}
    </li>
  );
}
