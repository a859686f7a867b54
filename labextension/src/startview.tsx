import React from 'react';
import { baseName, formatSince } from './format';
import { IMachine } from './moneytypes';
import { Meter } from './sessionview';
import { STAGES } from './starts';
import { IStart } from './types';

/** What a start's view may have done. */
export interface IStartActions {
  endStart(start: IStart): void;
}

/** The steps, with those that are done and the one that goes on. */
function Steps({ start }: { start: IStart }): JSX.Element {
  const now = STAGES.findIndex(([stage]) => stage === start.stage);
  return (
    <ol className="jp-choline-Steps" aria-label="Steps">
      {STAGES.map(([stage, word], index) => (
        <li key={stage} data-step={index < now ? 'done' : index === now ? 'now' : 'next'} aria-current={index === now ? 'step' : undefined}>
          {word}
        </li>
      ))}
    </ol>
  );
}

/** A session on its way: how far it is, what its machine has cost so far, or why it came to nothing. */
export function StartView(props: {
  start: IStart;
  machine: IMachine | undefined;
  told: number;
  now: number;
  actions: IStartActions;
}): JSX.Element {
  const { start, machine, told, now, actions } = props;
  const name = baseName(start.name);
  const act = start.problem ? 'Dismiss' : 'Cancel';
  return (
    <li className="jp-choline-Item jp-choline-Card" data-start={start.id} data-stage={start.problem ? 'failed' : start.stage}>
      <div className="jp-choline-Head">
        <span className="jp-choline-Title" title={start.name}>
          {name}
        </span>
      </div>
      <div className="jp-choline-Facts">
        <span>{start.what}</span>
        <span>since {formatSince(start.since, now)}</span>
      </div>
      {!start.problem && <Steps start={start} />}
      <div className="jp-choline-Facts" role="status">
        {!start.problem && (
          <span className="jp-choline-State" data-state="running">
            {start.text || 'being asked for'}
          </span>
        )}
      </div>
      {start.problem && (
        <p role="alert" className="jp-choline-Problem">
          {start.problem}
        </p>
      )}
      {machine && <Meter machine={machine} told={told} now={now} />}
      <div className="jp-choline-Buttons">
        <button type="button" className="jp-choline-Button" aria-label={`${act} the start of ${name}`} onClick={() => actions.endStart(start)}>
          {act}
        </button>
      </div>
    </li>
  );
}
