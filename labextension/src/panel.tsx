import { ReactWidget } from '@jupyterlab/ui-components';
import { DisposableSet, IDisposable } from '@lumino/disposable';
import { Message } from '@lumino/messaging';
import React from 'react';
import { cholineIcon } from './icon';
import { IPanelActions, IPanelModels, PanelView } from './panelview';

export const PANEL_ID = 'choline-panel';

/** The sidebar's panel. It watches the record and the money only while it is to be seen. */
export class Panel extends ReactWidget {
  constructor(
    private _models: IPanelModels,
    private _actions: IPanelActions,
    private _sections: React.ReactNode[] = []
  ) {
    super();
    this.id = PANEL_ID;
    this.addClass('jp-choline-Panel');
    this.title.icon = cholineIcon;
    this.title.caption = 'choline: sessions, jobs, money';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'choline');
  }

  protected render(): JSX.Element {
    return <PanelView models={this._models} actions={this._actions} sections={this._sections} />;
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._begin();
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (this.isVisible) {
      this._begin();
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

  private _begin(): void {
    this._watch ??= DisposableSet.from([this._models.record.watch(), this._models.money.watch()]);
  }

  private _release(): void {
    this._watch?.dispose();
    this._watch = null;
  }

  private _watch: IDisposable | null = null;
}
