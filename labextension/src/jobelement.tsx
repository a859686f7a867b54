import { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { ServerConnection } from '@jupyterlab/services';
import { ReactWidget } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import React from 'react';
import { ElementView, Fallback } from './elementview';
import { isJobId, JobFollower } from './jobfollower';
import { JOB, RANKS } from './mime';
import { News } from './news';
import { RankTabs, readRanks } from './ranktabs';

/** The text that an output has for those who cannot draw it. */
function readText(model: IRenderMime.IMimeModel): string {
  const text = model.data['text/plain'];
  return Array.isArray(text) ? text.join('') : typeof text === 'string' ? text : '';
}

/**
 * Draws the element of a job from the server's record; the output itself has its id only.
 *
 * All of it is text of React's: nothing that a job has put out becomes markup.
 */
export class JobElement extends ReactWidget implements IRenderMime.IRenderer {
  constructor(
    private _settings: ServerConnection.ISettings,
    private _news: News
  ) {
    super();
    this.addClass('jp-choline-JobOutput');
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const told = model.data[JOB] as { id?: unknown } | null | undefined;
    const id = told?.id;
    this._text = readText(model);
    if (this._follower?.id !== id) {
      this._follower?.dispose();
      this._follower = isJobId(id) ? new JobFollower(id, this._settings, this._news) : null;
      this._follower?.changed.connect(this._refresh, this);
    }
    this._refresh();
    await this.renderPromise;
  }

  dispose(): void {
    window.clearInterval(this._timer);
    this._follower?.dispose();
    super.dispose();
  }

  protected render(): JSX.Element {
    return this._follower ? (
      <ElementView follower={this._follower} text={this._text} />
    ) : (
      <Fallback text={this._text} why="" />
    );
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._refresh();
  }

  /** The time goes on by itself while the job runs. */
  private _refresh(): void {
    window.clearInterval(this._timer);
    this.update();
    if (this._follower?.isRunning && !this.isDisposed) {
      this._timer = window.setInterval(() => this.update(), 1000);
    }
  }

  private _follower: JobFollower | null = null;
  private _text = '';
  private _timer = 0;
}

/** What each rank but the first has said, behind tabs: the cell shows where they differ. */
export class RankOutput extends ReactWidget implements IRenderMime.IRenderer {
  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this._model = model;
    this.update();
    await this.renderPromise;
  }

  protected render(): JSX.Element {
    const ranks = this._model ? readRanks(this._model.data[RANKS]) : [];
    return (
      <>
        {this._model && readText(this._model) && <div className="jp-choline-Hint">{readText(this._model)}</div>}
        <RankTabs ranks={ranks} />
      </>
    );
  }

  private _model: IRenderMime.IMimeModel | null = null;
}
