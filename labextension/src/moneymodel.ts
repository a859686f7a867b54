import { ServerConnection } from '@jupyterlab/services';
import { DisposableDelegate, IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { sumRates } from './money';
import { IMoney } from './moneytypes';
import { News } from './news';
import { explain, request } from './request';
import { IJob } from './types';

/** Milliseconds between two looks while somebody looks: a new day begins, a bill is told. */
const LOOK = 60_000;

/** What is spent, kept up to date while somebody watches; between two answers it goes on at the price of now. */
export class MoneyModel {
  constructor(
    private _settings: ServerConnection.ISettings,
    news: News
  ) {
    news.arrived.connect((_, one) => {
      if (one.money) {
        this._isStale = true;
        void this._catchUp();
      }
    });
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** What was told last; null before the first answer. */
  get money(): IMoney | null {
    return this._money;
  }

  /** Why it cannot be told now, as a sentence; empty when it can. */
  get problem(): string {
    return this._problem;
  }

  /** The time by the server's clock. */
  get now(): number {
    return Date.now() / 1000 + this._offset;
  }

  /** When it was told, by this page's clock. */
  get toldAt(): number {
    return (this._money?.now ?? 0) - this._offset;
  }

  /** What a job has cost; null where that is not known, or where nothing costs anything. */
  findCost(job: IJob): number | null {
    const rates = this._money?.rates[job.session];
    return rates && job.started !== null ? sumRates(rates, job.started, job.ended ?? this.now) : null;
  }

  /** Keep up to date until the returned object is disposed; `isStale`: what is known may be old. */
  watch(isStale = true): IDisposable {
    this._watchers += 1;
    if (isStale) {
      void this.refresh();
    }
    if (this._watchers === 1) {
      this._timer = window.setInterval(() => void this.refresh(), LOOK);
    }
    return new DisposableDelegate(() => {
      this._watchers -= 1;
      if (this._watchers === 0) {
        window.clearInterval(this._timer);
      }
    });
  }

  async refresh(): Promise<void> {
    try {
      this._money = await request<IMoney>('money', this._settings);
      this._offset = this._money.now - Date.now() / 1000;
      this._problem = '';
    } catch (error) {
      this._problem = explain(error);
    }
    this._changed.emit();
  }

  /** One request at a time; what changes meanwhile is asked for by one more. */
  private async _catchUp(): Promise<void> {
    if (this._isBusy) {
      return;
    }
    this._isBusy = true;
    while (this._watchers && this._isStale) {
      this._isStale = false;
      await this.refresh();
    }
    this._isBusy = false;
  }

  private _changed = new Signal<this, void>(this);
  private _money: IMoney | null = null;
  private _offset = 0;
  private _problem = '';
  private _isStale = false;
  private _isBusy = false;
  private _watchers = 0;
  private _timer = 0;
}
