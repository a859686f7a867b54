import { ILimits, IOffer } from './moneytypes';
import { suggestBudget } from './offers';
import { IStart } from './types';

/** What was typed about a session that is to be started: USD, and minutes that it may be idle. */
export interface IStartForm {
  budget: string;
  lease: string;
}

/** The body of `POST starts`: what a person has agreed to. */
export interface IStartRequest {
  options: [name: string, value: string][];
  what: string;
  /** USD by the hour, at most. */
  hour: number;
  /** USD, at most. */
  budget: number;
  /** Minutes. */
  lease: number;
  /** The notebook that it is for, as the file browser has it; empty for none. */
  path: string;
  agreed: true;
}

/** The steps of a start, in their order, and the words for them. */
export const STAGES: [stage: IStart['stage'], word: string][] = [
  ['offers', 'offer'],
  ['renting', 'renting'],
  ['booting', 'booting'],
  ['opening', 'opening']
];

/** A price as it is agreed to: in cents, rounded up, so that what is shown is what is rented by. */
export function roundPrice(hour: number): number {
  return Math.ceil(hour * 100 - 1e-6) / 100;
}

/** What the dialog begins with: the user's own budget, or what the offer's run costs. */
export function suggestForm(offer: IOffer, limits: ILimits | undefined): IStartForm {
  const [suggested] = suggestBudget(offer, '', limits?.budget ?? null);
  return { budget: String(limits?.budget ?? suggested[1]), lease: '30' };
}

/** What an offer is, in few words. */
export function nameOffer(offer: IOffer): string {
  return [offer.gpus || offer.name, 'on', offer.provider, offer.spot ? 'spot' : ''].filter(Boolean).join(' ');
}

/** The request that an offer and a form make, once somebody agrees; null where an amount is missing or makes no sense. */
export function makeRequest(offer: IOffer, form: IStartForm, path: string): IStartRequest | null {
  const [budget, lease] = [Number(form.budget), Number(form.lease)];
  if (!(budget >= 0.01 && budget < Infinity && lease >= 1 && lease < Infinity)) {
    return null;
  }
  return { options: offer.options, what: nameOffer(offer), hour: roundPrice(offer.hour), budget, lease, path, agreed: true };
}
