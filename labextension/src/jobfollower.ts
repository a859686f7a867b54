import { ServerConnection } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { INews, News } from './news';
import { explain, request } from './request';
import { IJob, isOpen } from './types';

/** Milliseconds between two requests while news keep coming. */
const PAUSE = 1000;

/** What the rented machine of a job costs, in USD. */
export interface IJobCost {
  job: number;
  machine: number;
  hourly: number;
  budget: number;
}

/** A rank's GPU: memory in bytes, `busy` from 0 to 1, `power` in watts; what is not told is not there. */
export interface IGpu {
  rank: number;
  index?: number;
  memory?: number;
  total?: number;
  busy?: number;
  power?: number;
}

export interface IRankTail {
  rank: number;
  tail: string[];
}

/** `GET jobs/ID`. */
export interface IJobDetail {
  job: IJob;
  provider: string;
  machine: string;
  cost: IJobCost | null;
  ranks: IRankTail[];
  gpus: IGpu[];
}

/** Whether this can be the id of a job: it becomes a part of an address. */
export function isJobId(id: unknown): id is string {
  return typeof id === 'string' && /^[a-z][a-z0-9-]{1,62}$/.test(id);
}

/** Keeps what is known of one job up to date until it has ended or this is disposed. */
export class JobFollower implements IDisposable {
  constructor(
    readonly id: string,
    private _settings: ServerConnection.ISettings,
    private _news: News
  ) {
    _news.arrived.connect(this._note, this);
    void this._catchUp();
  }

  /** Something that is shown has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Null until the first answer has come. */
  get detail(): IJobDetail | null {
    return this._detail;
  }

  /** Whether the record has no such job. */
  get isUnknown(): boolean {
    return this._isUnknown;
  }

  /** What is wrong now, as a sentence; empty when all is well. */
  get problem(): string {
    return this._problem;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this._news.arrived.disconnect(this._note, this);
    Signal.clearData(this);
  }

  /** Interrupt the job; its session keeps its state. */
  async stop(): Promise<void> {
    try {
      await request(`jobs/${this.id}/interrupt`, this._settings, { method: 'POST' });
    } catch (error) {
      this._problem = explain(error);
      this._changed.emit();
    }
  }

  private _note(_: News, news: INews): void {
    if (news.jobs.includes(this.id)) {
      this._isStale = true;
      if (!this._isBusy) {
        void this._catchUp();
      }
    }
  }

  /** At once for the first news, then at most once in a pause. */
  private async _catchUp(): Promise<void> {
    this._isBusy = true;
    while (this._isStale && !this._isDisposed) {
      this._isStale = false;
      await this._fetch();
      await new Promise(resolve => setTimeout(resolve, PAUSE));
    }
    this._isBusy = false;
  }

  private async _fetch(): Promise<void> {
    try {
      this._detail = await request<IJobDetail>(`jobs/${this.id}`, this._settings);
      this._isUnknown = false;
      this._problem = '';
    } catch (error) {
      this._isUnknown = error instanceof ServerConnection.ResponseError && error.response.status === 404;
      this._problem = this._isUnknown ? '' : explain(error);
    }
    if (!this._isDisposed) {
      this._changed.emit();
    }
  }

  /** Whether the clock goes on. */
  get isRunning(): boolean {
    return this._detail !== null && isOpen(this._detail.job);
  }

  private _changed = new Signal<this, void>(this);
  private _detail: IJobDetail | null = null;
  private _isBusy = false;
  private _isDisposed = false;
  private _isStale = true;
  private _isUnknown = false;
  private _problem = '';
}
