import { Cell } from '@jupyterlab/cells';
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';
import { Kernel } from '@jupyterlab/services';
import { DisposableDelegate, IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { readLine } from './runline';

/** Milliseconds of quiet after a change before the kernel is asked. */
const QUIET = 500;
const REPORT = "__import__('choline_jupyter.magic.files_report', fromlist=['report_files']).report_files";

/** A file that a cell needs; `held` says why it stays here, empty when it goes. */
export interface IFile {
  path: string;
  size: number;
  why: string;
  held: string;
  asks: boolean;
  way: string;
}

/** What the notebook's kernel says of a cell's files. */
export interface IFilesReport {
  machine?: string;
  /** The cell works on this machine's own files. */
  shares?: boolean;
  count?: number;
  size?: number;
  more?: number;
  files?: IFile[];
  problem?: string;
}

/** The expression whose value is the report. A JSON string is a Python string, too. */
export function writeQuestion(source: string): string {
  return `${REPORT}(${JSON.stringify(source)})`;
}

/** The report in a kernel's answer to that expression. */
export function readAnswer(answer: any): IFilesReport {
  const told = answer?.status === 'ok' ? answer.data?.['application/json'] : null;
  if (told !== null && typeof told === 'object') {
    return told as IFilesReport;
  }
  const isMissing = answer?.ename === 'ModuleNotFoundError';
  return { problem: isMissing ? "This notebook's kernel has no choline." : `The kernel cannot tell: ${answer?.evalue ?? '?'}` };
}

/**
 * What goes with the active cell, asked of its notebook's kernel while somebody watches.
 *
 * The request is silent: it has no number, shows nothing, runs none of the cell's code. A kernel that is busy answers
 * when it is free.
 */
export class FilesModel {
  constructor(private _tracker: INotebookTracker | null) {
    _tracker?.activeCellChanged.connect((_, cell) => this._follow(cell));
    NotebookActions.executed.connect(() => this._schedule());
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Null while there is none: no `%%choline` cell is active, or the kernel has not answered yet. */
  get report(): IFilesReport | null {
    return this._report;
  }

  /** Why there is no report, as a sentence. */
  get hint(): string {
    return this._hint;
  }

  watch(): IDisposable {
    this._watchers += 1;
    this._follow(this._tracker?.activeCell ?? null);
    return new DisposableDelegate(() => (this._watchers -= 1));
  }

  private _follow(cell: Cell | null): void {
    this._cell?.model.contentChanged.disconnect(this._schedule, this);
    this._cell = cell;
    cell?.model.contentChanged.connect(this._schedule, this);
    cell?.disposed.connect(() => this._cell === cell && (this._cell = null));
    this._schedule();
  }

  private _schedule(): void {
    if (this._watchers) {
      window.clearTimeout(this._timer);
      this._timer = window.setTimeout(() => void this._look(), QUIET);
    }
  }

  private async _look(): Promise<void> {
    const source = this._cell?.model.sharedModel.getSource() ?? '';
    const kernel = this._tracker?.currentWidget?.sessionContext.session?.kernel;
    this._source = source;
    if (readLine(source) === null) {
      this._say(null, 'The active cell has no %%choline line: it runs in the notebook’s own kernel, and nothing goes anywhere.');
    } else if (!kernel) {
      this._say(null, 'The notebook has no kernel that could look at the cell.');
    } else if (!this._isBusy) {
      await this._ask(kernel, source);
    }
  }

  private async _ask(kernel: Kernel.IKernelConnection, source: string): Promise<void> {
    this._isBusy = true;
    if (!this._report) {
      this._say(null, kernel.status === 'busy' ? 'The kernel is busy; it is asked as soon as it is free.' : 'Looking …');
    }
    try {
      const user_expressions = { files: writeQuestion(source) };
      const content = { code: '', silent: true, store_history: false, allow_stdin: false, user_expressions };
      const reply: any = (await kernel.requestExecute(content).done).content;
      this._say(readAnswer(reply.user_expressions?.files), '');
    } catch {
      this._say(null, 'The kernel has gone.');
    }
    this._isBusy = false;
    if (source !== this._source) {
      this._schedule();
    }
  }

  private _say(report: IFilesReport | null, hint: string): void {
    this._report = report;
    this._hint = hint;
    this._changed.emit();
  }

  private _cell: Cell | null = null;
  private _changed = new Signal<this, void>(this);
  private _hint = '';
  private _isBusy = false;
  private _report: IFilesReport | null = null;
  private _source = '';
  private _timer = 0;
  private _watchers = 0;
}
