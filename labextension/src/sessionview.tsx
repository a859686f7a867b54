import React from 'react';
import { baseName, formatDuration, formatMoney, formatSince } from './format';
import { Gauge } from './gauge';
import { describeMachineState, findLevel, findShare, findSpent } from './money';
import { IMachine } from './moneytypes';
import { ILife, ISession } from './types';

/** What a session's view may have done. */
export interface ISessionActions {
  stop(session: ISession): void;
  interrupt(job: string): void;
  insert(session: ISession): void;
  extend(session: ISession): void;
}

/** Seconds until a session ends if nobody uses it; null where nothing would end it. */
export function findLease(life: ILife | undefined, now: number): number | null {
  if (life?.life !== 'idle') {
    return null;
  }
  const told = life.left ?? (life.lease ? life.lease - (life.quiet ?? 0) : null);
  return told === null ? null : Math.max(0, told - (now - (life.at ?? now)));
}

/** A session's state as a sentence's end. */
export function describeLife(life: ILife | undefined, now: number): string {
  const lease = findLease(life, now);
  switch (life?.life) {
    case undefined:
      return '…';
    case 'running':
      return `runs for ${formatDuration(now - (life.since ?? now))}${life.waiting ? `, ${life.waiting} waiting` : ''}`;
    case 'idle':
      return lease === null ? 'idle' : `idle, ends in ${formatDuration(lease)} unless it is used`;
    case 'ended':
      return 'its kernel has ended; the next cell starts a new one';
    case 'unhosted':
      return 'not running; its next cell starts it anew';
    default:
      return 'no agent answers on that machine';
  }
}

/** What a session is, for the dot before its state. */
export function findDot(life: ILife | undefined): string {
  return life?.life === 'running' ? 'running' : life?.life === 'idle' ? 'done' : life?.life === 'unreachable' ? 'failed' : '';
}

/** Where a session is, in few words. */
export function describePlace(session: ISession): string {
  return session.provider === 'local' ? session.machine : `${session.machine} (${session.provider})`;
}

/** What a rented machine is: GPUs, provider, spot, region. */
export function describeMachine(machine: IMachine): string {
  return [machine.gpus || 'no GPU', machine.provider, machine.spot ? 'spot' : '', machine.region].filter(Boolean).join(' · ');
}

/** Price, cost and budget of one machine. */
export function Meter({ machine, told, now }: { machine: IMachine; told: number; now: number }): JSX.Element {
  const spent = findSpent(machine, told, now);
  const level = findLevel(findShare(spent, machine.budget));
  const text = `${formatMoney(spent)} of ${formatMoney(machine.budget)}`;
  const left = machine.left === null ? null : Math.max(0, machine.left - (now - told));
  return (
    <div className="jp-choline-Meter">
      <div className="jp-choline-Facts">
        <strong>{formatMoney(machine.hourly)}/h</strong>
        <span title={`an estimate${machine.billed === null ? '' : `; its provider has billed ${formatMoney(machine.billed)} so far`}`}>{text} spent</span>
        {left !== null && left > 0 && <span title="at its budget or its deadline, whichever comes first">at most {formatDuration(left)} more</span>}
      </div>
      <Gauge label="Budget of this machine" value={spent} limit={machine.budget} text={text} />
      {level === 'spent' && (
        <p role="alert" className="jp-choline-Problem">
          Its budget is spent: the machine ends itself.
        </p>
      )}
    </div>
  );
}

function Buttons(props: { session: ISession; life: ILife | undefined; now: number; actions: ISessionActions }): JSX.Element {
  const { session, life, now, actions } = props;
  const name = baseName(session.name);
  return (
    <div className="jp-choline-Buttons">
      <button type="button" className="jp-choline-Button" aria-label={`Open a cell on ${name}`} onClick={() => actions.insert(session)}>
        Open a cell
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
      {findLease(life, now) !== null && (
        <button
          type="button"
          className="jp-choline-Button"
          aria-label={`Extend the lease of ${name}`}
          title="You are still there: the time that it may be idle begins anew"
          onClick={() => actions.extend(session)}
        >
          Extend lease
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
  );
}

export function SessionView(props: {
  session: ISession;
  life: ILife | undefined;
  machine: IMachine | undefined;
  /** When what is known of the machine's money was told. */
  told: number;
  now: number;
  actions: ISessionActions;
}): JSX.Element {
  const { session, life, machine, told, now, actions } = props;
  const trouble = machine ? describeMachineState(machine) : '';
  return (
    <li className="jp-choline-Item jp-choline-Card" data-session={session.id} data-life={life?.life}>
      <div className="jp-choline-Head">
        <span className="jp-choline-Title" title={session.name}>
          {baseName(session.name)}
        </span>
        <span className="jp-choline-Hint">{machine ? '' : session.provider === 'local' || session.provider === 'ssh' ? 'free' : ''}</span>
      </div>
      <div className="jp-choline-Facts">
        <span title={session.machine}>{machine ? describeMachine(machine) : describePlace(session)}</span>
      </div>
      <div className="jp-choline-Facts">
        <span className="jp-choline-State" data-state={findDot(life)}>
          {trouble ? `its machine ${trouble}` : describeLife(life, now)}
        </span>
        <span>since {formatSince(session.created, now)}</span>
      </div>
      {machine && <Meter machine={machine} told={told} now={now} />}
      <Buttons session={session} life={life} now={now} actions={actions} />
    </li>
  );
}

/** A machine that no session lives on yet, or any more: it costs money all the same. */
export function MachineView({ machine, told, now }: { machine: IMachine; told: number; now: number }): JSX.Element {
  return (
    <li className="jp-choline-Item jp-choline-Card" data-machine={machine.label}>
      <div className="jp-choline-Head">
        <span className="jp-choline-Title" title={machine.label}>
          {describeMachine(machine)}
        </span>
      </div>
      <div className="jp-choline-Facts">
        <span className="jp-choline-State" data-state="running">
          {describeMachineState(machine) || 'has no session'}
        </span>
        <span>since {formatSince(machine.created, now)}</span>
      </div>
      <Meter machine={machine} told={told} now={now} />
    </li>
  );
}
