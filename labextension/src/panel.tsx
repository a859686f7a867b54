import { ReactWidget } from '@jupyterlab/ui-components';
import { IDisposable } from '@lumino/disposable';
import { Message } from '@lumino/messaging';
import React from 'react';
import { cholineIcon } from './icon';
import { IPanelActions, PanelView } from './panelview';
import { RecordModel } from './recordmodel';

export const PANEL_ID = 'choline-panel';

/** The sidebar's panel. It watches the record only while it is to be seen. */
export class Panel extends ReactWidget {
  constructor(
    private _model: RecordModel,
    private _actions: IPanelActions
  ) {
    super();
    this.id = PANEL_ID;
    this.addClass('jp-choline-Panel');
    this.title.icon = cholineIcon;
    this.title.caption = 'choline: sessions and jobs';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'choline');
  }

  protected render(): JSX.Element {
    return <PanelView model={this._model} actions={this._actions} />;
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._watch ??= this._model.watch();
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (this.isVisible) {
      this._watch ??= this._model.watch();
    }
  }

  protected onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this._release();
  }

  protected onBeforeDetach(message: Message): void {
    super.onBeforeDetach(message);
    this._release();
  }

  private _release(): void {
    this._watch?.dispose();
    this._watch = null;
  }

  private _watch: IDisposable | null = null;
}
