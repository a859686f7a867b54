import { IOffer, IWish } from './moneytypes';

export type Column = 'gpus' | 'provider' | 'hour' | 'total';

export interface IOrder {
  column: Column;
  isDescending: boolean;
}

/** The order in which the server sends them. */
export const CHEAPEST_RUN: IOrder = { column: 'total', isDescending: false };

/** The same offers in another order; those that are equal stay as they were. */
export function sortOffers(offers: IOffer[], order: IOrder): IOffer[] {
  const sign = order.isDescending ? -1 : 1;
  const compare = (one: IOffer, other: IOffer): number => {
    const [a, b] = [one[order.column], other[order.column]];
    return typeof a === 'number' ? a - (b as number) : a.localeCompare(b as string, 'en', { numeric: true });
  };
  return [...offers].sort((one, other) => sign * compare(one, other));
}

/** The order after a click on a column's head: the other way round where it was sorted by already. */
export function turnOrder(order: IOrder, column: Column): IOrder {
  return { column, isDescending: order.column === column && !order.isDescending };
}

/** A wish as the query of `GET offers`. */
export function writeQuery(wish: IWish): string {
  const fields: [string, string][] = [
    ['gpu', wish.gpu.trim()],
    ['count', wish.count.trim()],
    ['max-price', wish.maxPrice.trim()],
    ['spot', wish.spot ? '1' : '']
  ];
  return new URLSearchParams(fields.filter(([, value]) => value)).toString();
}

/** With a value behind them, and those without: what a line may say of where a cell runs. */
const VALUED = ['gpu', 'memory', 'provider', 'host', 'accept-host-key', 'region', 'max-price', 'session'];
const FLAGS = ['spot', 'isolated'];
const WORD = /(?:"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'])+/g;

/** A `%%choline` line that asks for this machine; what it says of other matters stays. */
export function aimLine(line: string, options: [string, string][]): string {
  const [magic, ...words] = line.match(WORD) ?? ['%%choline'];
  const kept: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const [name, value] = words[index].replace(/^--/, '').split('=', 2);
    const isOption = words[index].startsWith('--');
    if (isOption && VALUED.includes(name)) {
      index += value === undefined ? 1 : 0;
    } else if (!isOption || !(FLAGS.includes(name) || /^[1-9]\d*x/.test(name))) {
      kept.push(words[index]);
    }
  }
  return [magic, ...options.map(([name, value]) => `--${name}${value && ' '}${value}`), ...kept].join(' ');
}

/** What is to be added where the user's configuration has no budget: without one nothing is rented. */
export function suggestBudget(offer: IOffer, line: string, allowed: number | null): [string, string][] {
  const isSaid = /(?:^|\s)--budget(?:[\s=]|$)/.test(line);
  return isSaid || allowed !== null ? [] : [['budget', String(Math.max(1, Math.ceil(offer.total)))]];
}
