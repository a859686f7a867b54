import React from 'react';
import { Chart } from './chart';
import { formatBytes, formatPart, formatShare, summarise } from './format';
import { Section } from './section';
import { IJob, IRank, isOpen } from './types';

/** The jobs whose machines are drawn: those that run, else the last one that was seen running. */
export function findDrawn(jobs: IJob[]): IJob[] {
  const told = jobs.filter(job => job.ranks && job.ranks.length > 0);
  const open = told.filter(isOpen);
  return open.length ? open : told.slice(0, 1);
}

/** What a rank takes, in few words: of its GPU, or of the processor and memory where it has none. */
export function describeRank({ gpu, process, peak }: IRank): string[] {
  if (!gpu) {
    return [`processor ${formatShare(process.cpu ?? 0)}`, `${formatBytes(process.memory ?? 0)}, at most ${formatBytes(peak)}`];
  }
  return [
    gpu.busy === undefined ? '' : `busy ${formatShare(gpu.busy)}`,
    gpu.memory === undefined ? '' : formatPart(gpu.memory, gpu.total),
    gpu.power === undefined ? '' : `${Math.round(gpu.power)} W`
  ].filter(Boolean);
}

/** The course of a rank's memory as shares: of what its GPU has, or of the most that the process took. */
export function findMemoryCourse({ gpu, peak, points }: IRank): [number, number][] {
  const whole = gpu?.total || Math.max(peak, ...points.map(([, , bytes]) => bytes)) || 1;
  return points.map(([at, , bytes]) => [at, bytes / whole]);
}

function Rank({ rank }: { rank: IRank }): JSX.Element {
  const words = describeRank(rank);
  const name = rank.gpu ? `GPU ${rank.gpu.index ?? rank.rank}` : `rank ${rank.rank}`;
  return (
    <li className="jp-choline-Rank" data-rank={rank.rank}>
      <div className="jp-choline-Facts">
        <strong>{name}</strong>
        {words.map(word => (
          <span key={word}>{word}</span>
        ))}
      </div>
      <Chart
        label={`${name}: ${words.join(', ')}`}
        busy={rank.points.map(([at, busy]) => [at, busy])}
        memory={findMemoryCourse(rank)}
      />
    </li>
  );
}

export function Gpus({ jobs }: { jobs: IJob[] }): JSX.Element {
  const drawn = findDrawn(jobs);
  return (
    <Section id="gpu" title="GPU" summary={drawn.length > 0 && !isOpen(drawn[0]) ? 'of the last job' : undefined}>
      {drawn.length === 0 && (
        <p className="jp-choline-Hint">
          What a cell takes of its machine is drawn here while it runs: use, memory and power of each GPU; where there is none,
          processor and memory.
        </p>
      )}
      {drawn.map(job => (
        <div key={job.id} className="jp-choline-Drawn">
          <div className="jp-choline-Head">
            <span className="jp-choline-Title jp-mod-code">{job.name || summarise(job.code) || job.id}</span>
            {typeof job.mfu === 'number' && <span className="jp-choline-Summary" title="model FLOPs utilisation, as the code tells it">MFU {formatShare(job.mfu)}</span>}
          </div>
          <ul>{job.ranks?.map(rank => <Rank key={rank.rank} rank={rank} />)}</ul>
        </div>
      ))}
      {drawn.length > 0 && (
        <p className="jp-choline-Legend" aria-hidden="true">
          <span className="jp-mod-busy">busy</span>
          <span className="jp-mod-memory">memory</span>
        </p>
      )}
    </Section>
  );
}
