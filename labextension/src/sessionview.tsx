import React from 'react';
import { baseName, formatDuration } from './format';
import { ILife, ISession } from './types';

/** What a session's view may have done. */
export interface ISessionActions {
  stop(session: ISession): void;
  interrupt(job: string): void;
  insert(session: ISession): void;
}

/** A session's state as a sentence's end. */
export function describeLife(life: ILife | undefined, now: number): string {
  switch (life?.life) {
    case undefined:
      return '…';
    case 'running':
      return `runs for ${formatDuration(now - (life.since ?? now))}${life.waiting ? `, ${life.waiting} waiting` : ''}`;
    case 'idle':
      return life.lease
        ? `idle, ends in ${formatDuration(life.lease - (life.quiet ?? 0))} unless it is used`
        : 'idle';
    case 'ended':
      return 'its kernel has ended; the next cell starts a new one';
    case 'unhosted':
      return 'not running; its next cell starts it anew';
    default:
      return 'no agent answers on that machine';
  }
}

/** Where a session is, in few words. */
export function describePlace(session: ISession): string {
  return session.provider === 'local' ? session.machine : `${session.machine} (${session.provider})`;
}

export function SessionView(props: {
  session: ISession;
  life: ILife | undefined;
  now: number;
  actions: ISessionActions;
}): JSX.Element {
  const { session, life, now, actions } = props;
  const name = baseName(session.name);
  return (
    <li className="jp-choline-Item" data-session={session.id} data-life={life?.life}>
      <div className="jp-choline-Head">
        <span className="jp-choline-Title" title={session.name}>
          {name}
        </span>
      </div>
      <div className="jp-choline-Facts">
        <span>{describePlace(session)}</span>
        <span>{describeLife(life, now)}</span>
        <span>open for {formatDuration(now - session.created)}</span>
        {session.provider === 'local' && <span>free</span>}
      </div>
      <div className="jp-choline-Buttons">
        <button type="button" className="jp-choline-Button" onClick={() => actions.insert(session)}>
          Insert a cell
        </button>
        {life?.running && (
          <button
            type="button"
            className="jp-choline-Button"
            aria-label={`Interrupt what runs in ${name}`}
            onClick={() => actions.interrupt(life.running as string)}
          >
            Interrupt
          </button>
        )}
        <button
          type="button"
          className="jp-choline-Button jp-mod-stop"
          aria-label={`Stop the session ${name}`}
          onClick={() => actions.stop(session)}
        >
          Stop
        </button>
      </div>
    </li>
  );
}
