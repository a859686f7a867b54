import { replaceLine } from './notebooks';

/** Options that say which machine a cell means, and how many words each is followed by. */
const MACHINE = new Map([
  ['--session', 1],
  ['--provider', 1],
  ['--gpu', 1],
  ['--memory', 1],
  ['--region', 1],
  ['--max-price', 1],
  ['--host', 1],
  ['--ssh', 1],
  ['--accept-host-key', 1],
  ['--spot', 0],
  ['--isolated', 0]
]);
/** Limits are for rented machines only: elsewhere the line would be refused. */
const LIMITS = new Map([
  ['--budget', 1],
  ['--lease', 1],
  ['--hold', 1],
  ['--deadline', 1]
]);
const SHORTHAND = /^--[1-9][0-9]*x[\w.-]+$/;
const LINE = /^%%choline(?=[ \t\n]|$)([^\n]*)/;

/** The words of a cell's `%%choline` line behind the magic, as they are written; null for a cell without one. */
export function readLine(source: string): string[] | null {
  const match = LINE.exec(source);
  return match && (match[1].match(/(?:[^\s"']|"(?:\\.|[^"\\])*"|'[^']*'|["'])+/g) ?? []);
}

/** The words without those options. */
function drop(words: string[], options: Map<string, number>): string[] {
  const kept: string[] = [];
  for (let place = 0; place < words.length; place++) {
    const [name, value] = words[place].split('=', 2);
    const count = SHORTHAND.test(name) && options.has('--gpu') ? 0 : options.get(name);
    if (count === undefined) {
      kept.push(words[place]);
    } else if (value === undefined) {
      place += count;
    }
  }
  return kept;
}

/** The cell's source with this machine in its `%%choline` line; the line's other options stay. */
export function setMachine(source: string, machine: string[]): string {
  const isRented = machine.some(word => ['--gpu', '--memory'].includes(word)) || isSupplier(findValue(machine, '--provider'));
  const kept = drop(readLine(source) ?? [], isRented ? MACHINE : new Map([...MACHINE, ...LIMITS]));
  const given = new Set(machine.filter(word => word.startsWith('--')));
  const others = drop(kept, new Map([...LIMITS].filter(([name]) => given.has(name))));
  return replaceLine(source, ['%%choline', ...machine, ...others].join(' '));
}

function isSupplier(provider: string): boolean {
  return !['', 'local', 'ssh'].includes(provider);
}

/** The value of an option in a line, without its quotes; empty where it is not there. */
export function findValue(words: string[], name: string): string {
  const place = words.findIndex(word => word === name || word.startsWith(`${name}=`));
  if (place < 0) {
    return '';
  }
  const value = words[place] === name ? (words[place + 1] ?? '') : words[place].slice(name.length + 1);
  return value.replace(/^(["'])(.*)\1$/, '$2');
}

/** Where a `%%choline` line has its cell run, in few words; empty where it does not say. */
export function describeLine(words: string[]): string {
  const shorthand = words.find(word => SHORTHAND.test(word));
  const gpu = findValue(words, '--gpu') || shorthand?.slice(2) || '';
  const memory = findValue(words, '--memory');
  const provider = findValue(words, '--provider');
  const rented = [gpu, memory && `a GPU of ${memory}`, gpu || memory ? provider && `on ${provider}` : ''];
  const isLocal = words.includes('--isolated') || provider === 'local';
  const machine =
    findValue(words, '--host') ||
    rented.filter(Boolean).join(' ') ||
    (words.includes('--isolated') ? 'this machine, isolated' : isLocal ? 'this machine' : provider);
  const session = findValue(words, '--session');
  return machine || (session && `session ${session.slice(session.lastIndexOf('/') + 1)}`);
}

/**
 * Where each cell of a notebook runs, by the lines: one that does not say runs where the last one did that said.
 *
 * @returns null for cells without a `%%choline` line.
 */
export function findPlaces(sources: string[]): (string | null)[] {
  let last = 'this machine';
  return sources.map(source => {
    const words = readLine(source);
    if (words === null) {
      return null;
    }
    last = describeLine(words) || last;
    return last;
  });
}
