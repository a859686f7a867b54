import { writeLine } from './notebooks';
import { baseName } from './format';
import { readLine } from './runline';
import { describePlace } from './sessionview';
import { ISession } from './types';

/** `GET places`. */
export interface IPlaces {
  hosts: string[];
  gpus: string[];
  /** Those that rent out and can be used now. */
  providers: string[];
  notice: string;
}

/** A place to run a cell: what is shown, and the words that mean it in a `%%choline` line. */
export interface IChoice {
  label: string;
  words: string[];
}

/** What can be chosen by a click. `notebook` is the notebook's path in the file browser. */
export function listChoices(places: IPlaces, sessions: ISession[], notebook: string): IChoice[] {
  const isOther = (session: ISession): boolean => session.provider !== 'local' || session.notebook !== notebook;
  return [
    { label: 'this machine', words: ['--provider', 'local'] },
    ...sessions.filter(isOther).map(session => ({
      label: `the session ${baseName(session.name)} on ${describePlace(session)}`,
      words: readLine(writeLine(session, notebook)) ?? []
    })),
    ...places.hosts.map(host => ({ label: host, words: ['--host', host] }))
  ];
}

/** The words for a machine that is rented; null while something is missing. */
export function rentWords(gpu: string, count: number, budget: string): string[] | null {
  const name = gpu.trim();
  if (!/^[\w.-]+$/.test(name) || !Number.isInteger(count) || count < 1) {
    return null;
  }
  const words = ['--gpu', count > 1 ? `${count}x${name}` : name];
  if (budget.trim() === '') {
    return words; // the configuration has one, or the cell says that it needs one
  }
  return Number(budget) > 0 ? [...words, '--budget', budget.trim()] : null;
}

/** The words for a host that is typed in; null while it is none. */
export function hostWords(host: string): string[] | null {
  const name = host.trim();
  return /^[\w.@:[\]-]+$/.test(name) ? ['--host', name] : null;
}
