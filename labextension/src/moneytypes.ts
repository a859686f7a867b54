/** A machine that costs money, as `GET money` describes it. Amounts are in USD, times in seconds since the epoch. */
export interface IMachine {
  label: string;
  provider: string;
  /** The id of the session that lives on it, or will. */
  session: string;
  /** `4x A100 80GB`; empty without a GPU. */
  gpus: string;
  spot: boolean;
  region: string;
  state: string;
  created: number;
  hourly: number;
  /** An estimate; `billed` is the provider's own figure when it was last asked, null where it tells none. */
  spent: number;
  billed: number | null;
  budget: number;
  /** Seconds until its budget is spent or its deadline is there; null: it costs nothing now. */
  left: number | null;
  deadline: number;
  lease: number;
}

/** From `since` on so much by the hour. */
export type Rate = [since: number, hourly: number];

/** The user's own limits; null: no such limit. */
export interface ILimits {
  budget: number | null;
  monthly: number | null;
  auto_approve: number;
  /** The file that they stand in. */
  path: string;
  /** What is wrong with that file; empty when all is well. */
  problem: string;
}

/** How much of its budget a session has spent; of one whose machine has ended, for an hour. */
export interface IAlert {
  session: string;
  /** `1x A100 80GB on runpod`. */
  what: string;
  /** Whether its machine may still exist. */
  open: boolean;
  spent: number;
  budget: number;
  /** The highest share to be told that is reached: 0, 0.5, 0.8 or 1. */
  reached: number;
  /** Seconds until the next share is reached, and all is spent, at the price of now; null: never. */
  next: number | null;
  left: number | null;
}

/** `GET money`. */
export interface IMoney {
  /** The server's clock. */
  now: number;
  /** Whether anything was ever rented. */
  is_used: boolean;
  notice: string;
  machines: IMachine[];
  alerts: IAlert[];
  month: { spent: number; reserved: number };
  /** Of the last 30 days, oldest first: the date and what was spent. */
  days: [date: string, amount: number][];
  /** What sessions cost, by their ids. */
  rates: { [session: string]: Rate[] };
  limits: ILimits;
}

/** What could be rented now. `options` are those of a `%%choline` line that asks for it; flags have an empty value. */
export interface IOffer {
  provider: string;
  name: string;
  gpus: string;
  /** GiB of one GPU; 0: not told. */
  memory: number;
  region: string;
  spot: boolean;
  hour: number;
  /** Whether the price is of this moment. */
  live: boolean;
  total: number;
  /** What the total is made of. */
  parts: [what: string, amount: number][];
  failures: number;
  options: [name: string, value: string][];
}

/** How a provider has answered: `unready` ones lack a key or a package, and were not asked. */
export interface IProvider {
  name: string;
  state: 'ready' | 'down' | 'unready';
  said: string;
  count: number;
  needs_laptop: boolean;
}

/** `GET offers`. */
export interface IOffers {
  offers: IOffer[];
  /** How many there are; the cheapest of them are in `offers`. */
  count: number;
  providers: IProvider[];
  plan: { hours: number; disk: number };
}

/** What is searched for, as it was typed. */
export interface IWish {
  gpu: string;
  count: string;
  maxPrice: string;
  spot: boolean;
}
