import { IOutput } from '@jupyterlab/nbformat';
import { IMessage } from './types';

/** The part of an output area's model that is written to. */
export interface IOutputs {
  readonly length: number;
  add(output: IOutput): number;
  set(index: number, output: IOutput): void;
  clear(wait?: boolean): void;
}

/**
 * Turns messages of a job into outputs of a cell, as JupyterLab itself does it for messages of a kernel.
 *
 * Displays are updated where they stand; `clear_output(wait=True)` clears with the next output. What is put on top (`head`)
 * stays whatever the job clears.
 */
export class OutputWriter {
  constructor(
    private _outputs: IOutputs,
    private _head: IOutput[] = []
  ) {
    _head.forEach(output => _outputs.add(output));
  }

  write(messages: IMessage[]): void {
    messages.forEach(message => this._write(message));
  }

  /** Go on with other outputs, which are the same as these. */
  moveTo(outputs: IOutputs): this {
    this._outputs = outputs;
    if (this._clearsNext) {
      outputs.clear(true);
    }
    return this;
  }

  private _write({ type, content }: IMessage): void {
    switch (type) {
      case 'clear_output':
        this._clear(content.wait === true);
        break;
      case 'update_display_data':
        this._update(content);
        break;
      case 'display_data':
      case 'execute_result':
        this._remember(content.transient?.display_id, this._add(makeBundle(type, content)));
        break;
      case 'stream':
        this._add({ output_type: 'stream', name: content.name, text: content.text });
        break;
      case 'error': {
        const { ename, evalue, traceback } = content;
        this._add({ output_type: 'error', ename, evalue, traceback });
        break;
      }
    }
  }

  private _add(output: IOutput): number {
    if (this._clearsNext) {
      this._displays.clear();
      this._clearsNext = false;
      this._head.forEach(one => this._outputs.add(one));
    }
    return this._outputs.add(output) - 1;
  }

  private _clear(wait: boolean): void {
    this._outputs.clear(wait);
    this._clearsNext = wait;
    if (!wait) {
      this._displays.clear();
      this._head.forEach(one => this._outputs.add(one));
    }
  }

  private _remember(id: unknown, index: number): void {
    if (typeof id === 'string') {
      this._displays.set(id, [...(this._displays.get(id) ?? []), index]);
    }
  }

  /** What was displayed in another cell is not found here: that cell has its own job. */
  private _update(content: IMessage['content']): void {
    for (const index of this._displays.get(content.transient?.display_id) ?? []) {
      if (index < this._outputs.length) {
        this._outputs.set(index, makeBundle('display_data', content));
      }
    }
  }

  private _displays = new Map<string, number[]>();
  private _clearsNext = false;
}

function makeBundle(type: string, content: IMessage['content']): IOutput {
  const bundle = { output_type: type, data: content.data ?? {}, metadata: content.metadata ?? {} };
  return type === 'execute_result' ? { ...bundle, execution_count: content.execution_count ?? null } : bundle;
}
