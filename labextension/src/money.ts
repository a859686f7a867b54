import { IMachine, IMoney, Rate } from './moneytypes';
import { ISession } from './types';

const HOUR = 3600;
/** Seconds that a machine may be idle where nothing else was said. */
const LEASE = 1800;
/** The shares of a budget from which on it is said. */
const HIGH = 0.8;

const STATES: { [state: string]: string } = {
  intent: 'is being asked for',
  creating: 'is being made',
  booting: 'is starting',
  destroying: 'is being ended',
  unknown: 'is being ended; its provider has not taken it yet',
  dead: 'has failed and is being ended',
  preempted: 'was taken away; its disk costs',
  stopped: 'is stopped; its disk costs'
};

/** What became of a machine, as the end of a sentence; empty while it is simply there. */
export function describeMachineState(machine: IMachine): string {
  return STATES[machine.state] ?? '';
}

/**
 * What a machine has cost by now: as it was reckoned then, and what has come since at its price. What its provider has billed
 * is some minutes old, and no budget goes by it.
 */
export function findSpent(machine: IMachine, told: number, now: number): number {
  return machine.spent + (machine.hourly * Math.max(0, now - told)) / HOUR;
}

/** What was spent between two times at these rates, the last of which goes on. */
export function sumRates(rates: Rate[], from: number, to: number): number {
  return rates.reduce((total, [since, hourly], index) => {
    const until = index + 1 < rates.length ? rates[index + 1][0] : Infinity;
    const seconds = Math.min(until, to) - Math.max(since, from);
    return total + (seconds > 0 ? (seconds * hourly) / HOUR : 0);
  }, 0);
}

/** A share of a limit, from 0 to 1; 0 without a limit. */
export function findShare(amount: number, limit: number | null): number {
  return limit ? Math.min(1, Math.max(0, amount / limit)) : 0;
}

export type Level = 'fine' | 'high' | 'spent';

/** How serious a share of a budget is. */
export function findLevel(share: number): Level {
  return share >= 1 ? 'spent' : share >= HIGH ? 'high' : 'fine';
}

/**
 * The options that a cell of this session needs for its machine to keep the limits that it has: a cell that says nothing means
 * the configuration's budget, which there may not be, and the usual lease.
 */
export function findLimits(money: IMoney | null, session: ISession): [name: string, value: string][] {
  const machine = money?.machines.find(one => one.label === session.machine);
  if (!money || !machine) {
    return [];
  }
  const { budget } = money.limits;
  const allowed = budget === null ? machine.budget : Math.min(machine.budget, budget);
  const limits: [string, string][] = allowed === budget ? [] : [['budget', String(Math.ceil(allowed * 100 - 1e-6) / 100)]];
  return machine.lease === LEASE ? limits : [...limits, ['lease', `${Math.round(machine.lease)}s`]];
}

/** What all machines cost together by the hour. */
export function sumHourly(machines: IMachine[]): number {
  return machines.reduce((total, machine) => total + machine.hourly, 0);
}

/** What the month has come to by now. */
export function findMonth(money: IMoney, now: number): number {
  return money.month.spent + (sumHourly(money.machines) * Math.max(0, now - money.now)) / HOUR;
}
