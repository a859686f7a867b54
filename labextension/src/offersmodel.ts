import { ServerConnection } from '@jupyterlab/services';
import { ISignal, Signal } from '@lumino/signaling';
import { IOffers, IWish } from './moneytypes';
import { CHEAPEST_RUN, Column, IOrder, sortOffers, turnOrder, writeQuery } from './offers';
import { explain, request } from './request';

/** One search for offers: what was wished for, what was found, in which order it is shown. */
export class OffersModel {
  constructor(private _settings: ServerConnection.ISettings) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** What was found last, in the order that was chosen; null before the first search. */
  get found(): IOffers | null {
    return this._found;
  }

  get order(): IOrder {
    return this._order;
  }

  get isAsking(): boolean {
    return this._isAsking;
  }

  /** Why the last search has found nothing, as a sentence; empty when all is well. */
  get problem(): string {
    return this._problem;
  }

  /** Ask all providers; of two searches the later one counts. */
  async search(wish: IWish): Promise<void> {
    const number = ++this._searches;
    this._isAsking = true;
    this._changed.emit();
    try {
      const found = await request<IOffers>(`offers?${writeQuery(wish)}`, this._settings);
      if (number === this._searches) {
        this._found = { ...found, offers: sortOffers(found.offers, this._order) };
        this._problem = '';
      }
    } catch (error) {
      if (number === this._searches) {
        this._problem = explain(error);
      }
    }
    if (number === this._searches) {
      this._isAsking = false;
      this._changed.emit();
    }
  }

  sortBy(column: Column): void {
    this._order = turnOrder(this._order, column);
    if (this._found) {
      this._found = { ...this._found, offers: sortOffers(this._found.offers, this._order) };
    }
    this._changed.emit();
  }

  private _changed = new Signal<this, void>(this);
  private _found: IOffers | null = null;
  private _order = CHEAPEST_RUN;
  private _isAsking = false;
  private _problem = '';
  private _searches = 0;
}
