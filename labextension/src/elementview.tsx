import React from 'react';
import { describeCost, describeGpu, describeMachine } from './elementformat';
import { describeState, describeTime, estimateLeft, Progress } from './jobview';
import { IGpu, IJobDetail, JobFollower } from './jobfollower';
import { RankTabs } from './ranktabs';
import { Sparkline } from './sparkline';
import { isOpen } from './types';

function Gpus({ gpus }: { gpus: IGpu[] }): JSX.Element | null {
  if (gpus.length === 0) {
    return null;
  }
  return (
    <ul className="jp-choline-Gpus" aria-label="GPU use">
      {gpus.map(gpu => (
        <li key={gpu.rank}>
          {gpu.busy !== undefined && <meter min={0} max={1} value={gpu.busy} aria-hidden="true" />}
          {describeGpu(gpu)}
        </li>
      ))}
    </ul>
  );
}

/** A job that nobody knows, or that cannot be asked for: what the notebook itself has kept of it, and why no more. */
export function Fallback({ text, why }: { text: string; why: string }): JSX.Element {
  return (
    <div className="jp-choline-Element jp-mod-unknown">
      <div className="jp-choline-Hint">
        {text}
        {why && ` (${why})`}
      </div>
    </div>
  );
}

function Known(props: { detail: IJobDetail; now: number; problem: string; onStop: () => void }): JSX.Element {
  const { detail, now, problem, onStop } = props;
  const { job } = detail;
  const ranks = detail.ranks.map(({ rank, tail }) => ({ rank, text: tail.join('\n') }));
  return (
    <div
      className="jp-choline-Element"
      role="group"
      aria-label={`job ${job.id}`}
      data-job={job.id}
      data-state={job.state}
    >
      <div className="jp-choline-Head">
        <div className="jp-choline-Facts">
          <span className="jp-choline-State" data-state={job.state}>
            {describeState(job)}
          </span>
          <span className="jp-choline-Number">{describeTime(job, now)}</span>
          <span>{describeMachine(detail)}</span>
          <span>{describeCost(detail.cost)}</span>
        </div>
        {isOpen(job) && (
          <button
            type="button"
            className="jp-choline-Button jp-mod-stop"
            aria-label={`Stop job ${job.id}`}
            title="Interrupt the job: its session keeps its state"
            onClick={onStop}
          >
            Stop
          </button>
        )}
      </div>
      {problem && (
        <div className="jp-choline-Hint" role="status">
          {problem}
        </div>
      )}
      {job.progress && <Progress progress={job.progress} left={estimateLeft(job, job.progress, now)} />}
      {job.losses && <Sparkline values={job.losses} />}
      <Gpus gpus={detail.gpus} />
      {isOpen(job) && <RankTabs ranks={ranks} />}
    </div>
  );
}

/** A job in its cell. `text` is what the notebook shows where nobody can draw it. */
export function ElementView({ follower, text }: { follower: JobFollower; text: string }): JSX.Element {
  const { detail, problem } = follower;
  if (follower.isUnknown) {
    return <Fallback text={text} why="this machine does not know that job any more" />;
  }
  return detail ? (
    <Known detail={detail} now={Date.now() / 1000} problem={problem} onStop={() => void follower.stop()} />
  ) : (
    <Fallback text={text} why={problem} />
  );
}
