import { ServerConnection } from '@jupyterlab/services';
import { DisposableDelegate, IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { INews, News } from './news';
import { explain, request } from './request';
import { IStartRequest } from './starts';
import { IHistory, IJob, ILife, ISession, IStart, IState } from './types';

/** Milliseconds between two requests while news keep coming. */
const PAUSE = 200;
/** Milliseconds between two looks at the machines while somebody looks at the panel. */
const LOOK = 30_000;

/**
 * What choline knows of jobs and sessions, kept up to date while somebody watches.
 *
 * Nobody watching costs nothing: news are remembered as one bit and asked for when somebody watches again.
 */
export class RecordModel {
  constructor(
    readonly settings: ServerConnection.ISettings,
    news: News
  ) {
    news.arrived.connect((_, one) => this._note(one));
  }

  /** Something that is shown has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Newest first. */
  get jobs(): IJob[] {
    return [...this._jobs.values()].sort((one, other) => other.created - one.created);
  }

  /** Those that are there; one that is still being started is among `starts`. */
  get sessions(): ISession[] {
    return this._sessions;
  }

  get starts(): IStart[] {
    return this._starts;
  }

  /** Whether the first answer has come. */
  get isReady(): boolean {
    return this._isReady;
  }

  /** What is wrong now, as a sentence; empty when all is well. */
  get problem(): string {
    return this._problem;
  }

  /** What the server has to say of where the record lies. */
  get notice(): string {
    return this._notice;
  }

  /** Whether there are older jobs than those shown. */
  get hasMore(): boolean {
    return this._hasMore;
  }

  findJob(id: string): IJob | undefined {
    return this._jobs.get(id);
  }

  findLife(session: string): ILife | undefined {
    return this._lives.get(session);
  }

  /** Keep up to date until the returned object is disposed. */
  watch(): IDisposable {
    this._watchers += 1;
    if (this._watchers === 1) {
      void this.refresh();
      this._timer = window.setInterval(() => void this.look(), LOOK);
    }
    return new DisposableDelegate(() => {
      this._watchers -= 1;
      if (this._watchers === 0) {
        window.clearInterval(this._timer);
      }
    });
  }

  /** Everything anew, then what the machines say. */
  async refresh(): Promise<void> {
    await this._try(async () => {
      const state = await this._get<IState>('state');
      const known = this._jobs;
      const oldest = Math.min(...state.jobs.map(job => job.created));
      const older = [...known.values()].filter(job => job.created < oldest);
      this._jobs = new Map([...state.jobs, ...older].map(job => [job.id, { ...known.get(job.id), ...job }]));
      this._starts = state.starts;
      const begun = new Set(state.starts.filter(start => !start.problem).map(start => start.id));
      this._sessions = state.sessions.filter(session => !begun.has(session.id));
      this._notice = state.notice;
      this._hasMore = older.length ? this._hasMore : state.more;
      this._isReady = true;
    });
    await this.look();
  }

  /** Ask the machines what goes on there. */
  async look(): Promise<void> {
    if (this._sessions.length) {
      await this._try(async () => {
        const { sessions } = await this._get<{ sessions: ILife[] }>('sessions');
        const at = Date.now() / 1000;
        this._lives = new Map(sessions.map(life => [life.id, { ...life, at }]));
      });
    }
  }

  /** A page of jobs that are older than all that are known. */
  async fetchOlder(): Promise<void> {
    await this._try(async () => {
      const oldest = Math.min(Date.now() / 1000, ...[...this._jobs.values()].map(job => job.created));
      const page = await this._get<IHistory>(`history?before=${oldest}`);
      page.jobs.forEach(job => this._jobs.set(job.id, job));
      this._hasMore = page.more;
    });
  }

  /** These jobs as they are now, with the end of their output. */
  async fetchJobs(ids: string[]): Promise<void> {
    await this._try(async () => {
      const { jobs } = await this._get<{ jobs: IJob[] }>(`jobs?ids=${ids.map(encodeURIComponent).join(',')}`);
      jobs.forEach(job => this._jobs.set(job.id, job));
    });
  }

  /** Interrupt a job. */
  async interrupt(job: string): Promise<void> {
    await this._act(`jobs/${job}/interrupt`);
  }

  /** End a session and what runs in it; whether its rented machine is known to be gone, if it has one. */
  async stop(session: string): Promise<boolean> {
    const { gone } = await this._act<{ gone: boolean }>(`sessions/${session}/stop`);
    await this.refresh();
    return gone;
  }

  /** Have a session's lease begin anew. */
  async extend(session: string): Promise<void> {
    await this._act(`sessions/${session}/lease`);
    await this.look();
  }

  /** Have a session started, as somebody has agreed to. */
  async start(wish: IStartRequest): Promise<void> {
    await this._act('starts', wish);
    await this.refresh();
  }

  /** Cancel a start that goes on; forget one that came to nothing. */
  async endStart(start: string): Promise<void> {
    await this._act(`starts/${start}/end`);
    await this.refresh();
  }

  private _note(news: INews): void {
    news.jobs.forEach(job => this._touched.add(job));
    this._isStale = this._isStale || news.sessions;
    if (this._watchers && !this._isBusy) {
      void this._catchUp();
    }
  }

  /** At once for the first news, then at most once in a pause. */
  private async _catchUp(): Promise<void> {
    this._isBusy = true;
    while (this._watchers && (this._touched.size || this._isStale)) {
      const ids = [...this._touched].slice(0, 50);
      const isStale = this._isStale;
      ids.forEach(id => this._touched.delete(id));
      this._isStale = false;
      await (isStale ? this.refresh() : this.fetchJobs(ids));
      if (ids.some(id => this._hasNewState(id))) {
        void this.look();
      }
      await new Promise(resolve => setTimeout(resolve, PAUSE));
    }
    this._isBusy = false;
  }

  private _hasNewState(id: string): boolean {
    const job = this._jobs.get(id);
    const isNew = job !== undefined && this._states.get(id) !== job.state;
    if (job) {
      this._states.set(id, job.state);
    }
    return isNew;
  }

  private _get<T>(path: string): Promise<T> {
    return request<T>(path, this.settings);
  }

  private _act<T = unknown>(path: string, body?: object): Promise<T> {
    return request<T>(path, this.settings, { method: 'POST', body: body && JSON.stringify(body) });
  }

  private async _try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this._problem = '';
    } catch (error) {
      this._problem = explain(error);
    }
    this._changed.emit();
  }

  private _changed = new Signal<this, void>(this);
  private _jobs = new Map<string, IJob>();
  private _states = new Map<string, string>();
  private _sessions: ISession[] = [];
  private _starts: IStart[] = [];
  private _lives = new Map<string, ILife>();
  private _notice = '';
  private _problem = '';
  private _hasMore = false;
  private _isReady = false;
  private _isStale = false;
  private _isBusy = false;
  private _touched = new Set<string>();
  private _watchers = 0;
  private _timer = 0;
}
