import { Notification } from '@jupyterlab/apputils';
import { Cell, CodeCell } from '@jupyterlab/cells';
import { NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { Kernel, ServerConnection } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import { Filling, readMark, writeMark } from './filling';
import { INews, News } from './news';
import { findOwner, holdNotebook, IHold } from './owner';
import { explain, request } from './request';
import { ICellJob, needsFilling } from './staleness';
import { isOpen } from './types';

/** Milliseconds that a job's end may come behind the end of its cell. */
const GRACE = 1500;
/** JupyterLab shows no more characters of a notification. */
const SHOWN = 140;
const GONE: Kernel.Status[] = ['dead', 'terminating', 'restarting', 'autorestarting'];

/**
 * Keeps the cells of one notebook complete: those whose jobs went on without this page are filled in from the record.
 *
 * A cell that this page runs is the kernel's to fill, until it has ended here; if its job has not, it is filled in.
 */
export class Refill implements IDisposable {
  constructor(
    private _panel: NotebookPanel,
    private _settings: ServerConnection.ISettings,
    private _news: News
  ) {
    this._hold = holdNotebook(_panel.context.path, navigator.locks);
    NotebookActions.executionScheduled.connect(this._noteStart, this);
    NotebookActions.executed.connect(this._noteEnd, this);
    _panel.sessionContext.statusChanged.connect(this._noteStatus, this);
    _panel.disposed.connect(this.dispose, this);
    this._watch(this._run());
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this._hold.dispose();
    NotebookActions.executionScheduled.disconnect(this._noteStart, this);
    NotebookActions.executed.disconnect(this._noteEnd, this);
    this._news.arrived.disconnect(this._noteNews, this);
    this._live.clear();
    this._fillings.forEach(filling => filling.dispose());
    this._fillings.clear();
  }

  private async _run(): Promise<void> {
    await this._panel.context.ready;
    await this._panel.revealed;
    if (await this._hold.isTaken) {
      this._tell('Another page has this notebook open, and it fills in what ran on. This one does when that is closed.');
    }
    await this._hold.granted;
    this._news.arrived.connect(this._noteNews, this);
    await this._fill();
  }

  /** Fill in what needs it, of all cells or of these. */
  private async _fill(wanted: Cell[] | null = null): Promise<void> {
    const cells = this._listCells().filter(cell => !wanted || wanted.includes(cell));
    if (this._isDisposed || !cells.length) {
      return;
    }
    const jobs = await this._fetchJobs();
    const stale = cells.filter(cell => {
      const job = jobs.get(cell.model.id);
      const filling = this._fillings.get(cell);
      const isUnderWay = filling && !filling.isDisposed && filling.job === job?.id;
      return job && !isUnderWay && needsFilling(this._look(cell), job);
    });
    const owner = findOwner(this._panel);
    if (stale.length && owner) {
      this._tell(`Cells are not filled in, because ${owner}. See the choline panel, or %choline attach.`);
    } else {
      stale.forEach(cell => this._start(cell, jobs.get(cell.model.id)!));
    }
  }

  private _start(cell: CodeCell, job: ICellJob): void {
    this._fillings.get(cell)?.dispose();
    const filling = new Filling(cell, job, this._settings, this._news);
    this._fillings.set(cell, filling);
    this._watch(filling.done);
  }

  /** A kernel that had more cells to run goes on with them, whether a page is there or not. */
  private _noteNews(_: News, { jobs }: INews): void {
    const isNew = jobs.some(id => !this._heard.has(id));
    jobs.forEach(id => this._heard.add(id));
    if (isNew) {
      this._watch(this._fill());
    }
  }

  private _noteStart(_: unknown, { cell }: { cell: Cell }): void {
    if (this._panel.content.widgets.includes(cell)) {
      this._live.add(cell);
      this._fillings.get(cell as CodeCell)?.dispose();
    }
  }

  private _noteEnd(_: unknown, { cell }: { cell: Cell }): void {
    if (this._live.has(cell)) {
      this._watch(isOurs(cell) ? this._settle(cell) : this._leave(cell));
    }
  }

  /** JupyterLab says nothing of a cell whose kernel has gone. */
  private _noteStatus(_: unknown, status: Kernel.Status): void {
    if (GONE.includes(status)) {
      this._watch(this._leave(...this._live));
    }
  }

  /** A cell has ended here: note that it is complete, or go on with a job that has lost its kernel. */
  private async _settle(cell: CodeCell): Promise<void> {
    for (let tries = 5; tries > 0 && this._live.has(cell); tries--) {
      const job = (await this._fetchJobs()).get(cell.model.id);
      if (!job || job.detached) {
        return; // the kernel goes on showing it
      }
      if (!isOpen(job)) {
        this._live.delete(cell);
        writeMark(cell, { job: job.id, isComplete: true });
        return;
      }
      await new Promise(resolve => setTimeout(resolve, GRACE / 5));
    }
    await this._leave(cell);
  }

  /** The kernel fills these no more. */
  private async _leave(...cells: Cell[]): Promise<void> {
    const left = cells.filter(cell => this._live.delete(cell));
    await this._fill(left);
  }

  private _watch(work: Promise<void>): void {
    work.catch(error => this._tell(explain(error)));
  }

  private _look(cell: CodeCell): { source: string; mark: ReturnType<typeof readMark>; isLive: boolean } {
    return { source: cell.model.sharedModel.getSource(), mark: readMark(cell), isLive: this._live.has(cell) };
  }

  private _listCells(): CodeCell[] {
    return this._panel.content.widgets.filter(isOurs);
  }

  private async _fetchJobs(): Promise<Map<string, ICellJob>> {
    const path = encodeURIComponent(this._panel.context.localPath);
    const { cells } = await request<{ cells: ICellJob[] }>(`cells?path=${path}`, this._settings);
    return new Map(cells.map(job => [job.cell, job]));
  }

  private _tell(sentence: string): void {
    if (!this._isDisposed) {
      const whole = `${this._panel.title.label}: ${sentence}`;
      Notification.info(whole.length > SHOWN ? sentence : whole, { autoClose: 10_000 });
    }
  }

  private _heard = new Set<string>();
  private _hold: IHold;
  private _isDisposed = false;
  private _live = new Set<Cell>();
  private _fillings = new Map<CodeCell, Filling>();
}

function isOurs(cell: Cell): cell is CodeCell {
  return cell instanceof CodeCell && cell.model.sharedModel.getSource().startsWith('%%choline');
}
