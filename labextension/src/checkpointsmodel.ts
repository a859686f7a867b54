import { ServerConnection } from '@jupyterlab/services';
import { DisposableDelegate, IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { News } from './news';
import { explain, request } from './request';

/** Milliseconds between two requests while news keep coming. */
const PAUSE = 2000;

/** One of `GET checkpoints`; `at` is in seconds since the epoch. */
export interface ICheckpoint {
  name: string;
  folder: string;
  job: string;
  step: number | null;
  epoch: number | null;
  loss: number | null;
  size: number;
  at: number | null;
  isHome: boolean;
  isPreview: boolean;
  /** Whether the record still has the job: without it nothing can be fetched or resumed. */
  isKnown: boolean;
  notebook: string;
}

/** The checkpoints that there are, kept up to date while somebody watches. */
export class CheckpointsModel {
  constructor(
    private _settings: ServerConnection.ISettings,
    news: News
  ) {
    news.arrived.connect((_, { jobs }) => {
      this._isStale = this._isStale || jobs.length > 0;
      this._catchUp();
    });
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Newest first; null until the first answer has come. */
  get checkpoints(): ICheckpoint[] | null {
    return this._checkpoints;
  }

  /** What is wrong, or what became of the last request, as a sentence. */
  get notice(): string {
    return this._notice;
  }

  /** The jobs whose files are on their way. */
  isPulling(job: string): boolean {
    return this._pulling.has(job);
  }

  watch(): IDisposable {
    this._watchers += 1;
    this._isStale = true;
    this._catchUp();
    return new DisposableDelegate(() => (this._watchers -= 1));
  }

  /** Bring home what a job has written. */
  async pull(job: string): Promise<void> {
    this._pulling.add(job);
    this._changed.emit();
    try {
      const { said } = await request<{ said: string[] }>(`jobs/${job}/pull`, this._settings, { method: 'POST' });
      this._notice = said.join(' ');
    } catch (error) {
      this._notice = explain(error);
    }
    this._pulling.delete(job);
    await this._fetch(this._notice);
  }

  private _catchUp(): void {
    if (this._watchers && this._isStale && !this._isBusy) {
      this._isStale = false;
      this._isBusy = true;
      void this._fetch('');
      window.setTimeout(() => {
        this._isBusy = false;
        this._catchUp();
      }, PAUSE);
    }
  }

  /** One that comes home is no news of its job: while some are on their way, somebody has to look. */
  private _awaitHome(): void {
    if (this._checkpoints?.some(one => !one.isHome && one.isKnown)) {
      window.clearTimeout(this._timer);
      this._timer = window.setTimeout(() => {
        this._isStale = true;
        this._catchUp();
      }, PAUSE);
    }
  }

  private async _fetch(notice: string): Promise<void> {
    try {
      const { checkpoints } = await request<{ checkpoints: ICheckpoint[] }>('checkpoints', this._settings);
      this._checkpoints = checkpoints;
      this._notice = notice || this._notice;
      this._awaitHome();
    } catch (error) {
      this._notice = explain(error);
    }
    this._changed.emit();
  }

  private _changed = new Signal<this, void>(this);
  private _checkpoints: ICheckpoint[] | null = null;
  private _isBusy = false;
  private _isStale = true;
  private _notice = '';
  private _pulling = new Set<string>();
  private _timer = 0;
  private _watchers = 0;
}
