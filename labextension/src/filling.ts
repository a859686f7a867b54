import { CodeCell } from '@jupyterlab/cells';
import { IOutput } from '@jupyterlab/nbformat';
import { OutputAreaModel } from '@jupyterlab/outputarea';
import { ServerConnection } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import { formatDuration } from './format';
import { JOB } from './mime';
import { INews, News } from './news';
import { OutputWriter } from './outputs';
import { request } from './request';
import { ICellMark } from './staleness';
import { IJob, IPage, isOpen } from './types';

const KEY = 'choline';

export function readMark(cell: CodeCell): ICellMark | null {
  const mark = cell.model.getMetadata(KEY);
  return mark && typeof mark.job === 'string' ? { job: mark.job, isComplete: mark.isComplete === true } : null;
}

/** The job's own element, which no kernel has put out: it stays where the rest is made anew. */
function findElement(outputs: IOutput[], job: string): IOutput[] {
  return outputs.filter(output => (output.data as any)?.[JOB]?.id === job).slice(0, 1);
}

/** What it says to those who cannot draw it is the end now. */
function closeElement({ model }: CodeCell, job: IJob): void {
  const all = model.outputs.toJSON();
  const index = all.indexOf(findElement(all, job.id)[0]);
  if (index >= 0 && job.started !== null && job.ended !== null) {
    const text = `job ${job.id} ran for ${formatDuration(job.ended - job.started)}`;
    const said = { 'text/html': `<small><b>choline</b> ${text}</small>`, 'text/plain': `choline: ${text}` };
    model.outputs.set(index, { ...all[index], data: { ...(all[index].data as object), ...said } });
  }
}

export function writeMark(cell: CodeCell, mark: ICellMark): void {
  cell.model.setMetadata(KEY, { ...mark });
}

/**
 * Fills one cell with the output of a job, from its first message, and goes on while the job does.
 *
 * It is the only writer of the cell until it is disposed: by the job's end, by the cell's, or because the cell runs again.
 */
export class Filling implements IDisposable {
  constructor(
    private _cell: CodeCell,
    private _job: IJob,
    private _settings: ServerConnection.ISettings,
    private _news: News
  ) {
    this._woken = new Promise(resolve => (this._wake = resolve));
    this._news.arrived.connect(this._note, this);
    this._cell.disposed.connect(this.dispose, this);
    this.done = this._run();
  }

  /** Resolves when the cell is complete or will not be; rejects when the server cannot tell. */
  readonly done: Promise<void>;

  get job(): string {
    return this._job.id;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this._news.arrived.disconnect(this._note, this);
    this._cell.disposed.disconnect(this.dispose, this);
    this._wake();
  }

  private async _run(): Promise<void> {
    try {
      await this._begin();
      while (!this._isDisposed && isOpen(this._job)) {
        await this._wait();
        await this._take();
      }
      if (!this._isDisposed) {
        this._finish();
      }
    } finally {
      this.dispose();
    }
  }

  /** All that is there already is put together out of sight, and shown at once. */
  private async _begin(): Promise<void> {
    const { outputs } = this._cell.model;
    const draft = new OutputAreaModel({ trusted: outputs.trusted, contentFactory: outputs.contentFactory });
    const writer = new OutputWriter(draft, findElement(outputs.toJSON(), this._job.id));
    for (let isMore = true; isMore && !this._isDisposed; ) {
      const page = await this._fetch();
      writer.write(page.messages);
      isMore = page.more;
    }
    if (!this._isDisposed) {
      outputs.fromJSON(draft.toJSON());
      this._writer = writer.moveTo(outputs);
      this._cell.model.executionCount = this._job.count;
      writeMark(this._cell, { job: this._job.id, isComplete: false });
      if (isOpen(this._job)) {
        this._cell.model.executionState = 'running';
      }
    }
    draft.dispose();
  }

  private async _take(): Promise<void> {
    for (let isMore = true; isMore && !this._isDisposed; ) {
      const page = await this._fetch();
      if (!this._isDisposed) {
        this._writer?.write(page.messages);
      }
      isMore = page.more;
    }
  }

  private async _fetch(): Promise<IPage> {
    const path = `jobs/${this._job.id}/events?after=${encodeURIComponent(this._after)}`;
    const page = await request<IPage>(path, this._settings);
    this._after = page.after;
    this._job = page.job;
    return page;
  }

  private _finish(): void {
    this._cell.model.executionState = 'idle';
    this._cell.model.executionCount = this._job.count;
    closeElement(this._cell, this._job);
    writeMark(this._cell, { job: this._job.id, isComplete: true });
  }

  private _note(_: News, news: INews): void {
    if (news.jobs.includes(this._job.id)) {
      this._wake();
    }
  }

  /** Until there is news of the job. What comes between two waits is not missed. */
  private async _wait(): Promise<void> {
    await this._woken;
    this._woken = new Promise(resolve => (this._wake = resolve));
  }

  private _after = '';
  private _isDisposed = false;
  private _writer: OutputWriter | null = null;
  private _wake!: () => void;
  private _woken: Promise<void>;
}
