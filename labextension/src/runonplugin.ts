import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, ICommandPalette, Notification, showDialog, ToolbarButton } from '@jupyterlab/apputils';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { ServerConnection } from '@jupyterlab/services';
import { Badges } from './badges';
import { ensureLoaded, runWithMagic } from './notebooks';
import { IPlaces, listChoices } from './places';
import { PlacesForm } from './placesdialog';
import { explain, request } from './request';
import { setMachine } from './runline';
import { IState } from './types';

const COMMAND = 'choline:run-on';

/** A button in each notebook's toolbar that says where the active cell is to run, and a badge at each cell that says it. */
export const runOn: JupyterFrontEndPlugin<void> = {
  id: 'choline-jupyter:run-on',
  description: 'Chooses and shows where cells run.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ICommandPalette],
  activate: (app: JupyterFrontEnd, tracker: INotebookTracker, palette: ICommandPalette | null) => {
    const settings = app.serviceManager.serverSettings;
    app.commands.addCommand(COMMAND, {
      label: 'choline: run the cell on …',
      isEnabled: () => tracker.activeCell?.model.type === 'code',
      execute: () => tracker.currentWidget && choose(tracker.currentWidget, settings)
    });
    palette?.addItem({ command: COMMAND, category: 'choline' });
    tracker.widgetAdded.connect((_, panel) => {
      new Badges(panel);
      const button = new ToolbarButton({
        label: 'Run on…',
        tooltip: 'Choose the machine that the active cell runs on',
        onClick: () => choose(panel, settings)
      });
      panel.toolbar.insertBefore('spacer', 'choline-run-on', button);
    });
  }
};

async function choose(panel: NotebookPanel, settings: ServerConnection.ISettings): Promise<void> {
  const cell = panel.content.activeCell;
  if (cell?.model.type !== 'code') {
    Notification.info('Choose a code cell first.', { autoClose: 5000 });
    return;
  }
  try {
    const [places, state] = await Promise.all([
      request<IPlaces>('places', settings),
      request<IState>('state', settings)
    ]);
    const path = panel.context.localPath ?? panel.context.path;
    const body = new PlacesForm(listChoices(places, state.sessions, path), places);
    const buttons = [
      Dialog.cancelButton(),
      Dialog.createButton({ label: 'Set', caption: 'Write it on top of the cell' }),
      Dialog.okButton({ label: 'Run there', actions: ['run'] })
    ];
    const { button, value } = await showDialog({ title: 'Run on', body, buttons, defaultButton: 2 });
    if (!button.accept) {
      return;
    }
    if (!value) {
      Notification.warning('Nothing was changed: name a host, or a GPU and an amount.', { autoClose: 5000 });
      return;
    }
    const shared = cell.model.sharedModel;
    shared.setSource(setMachine(shared.getSource(), value));
    ensureLoaded(panel.content);
    if (button.actions.includes('run')) {
      panel.content.activeCellIndex = panel.content.widgets.indexOf(cell);
      panel.content.deselectAll();
      await runWithMagic(panel);
    }
  } catch (error) {
    Notification.error(explain(error));
  }
}
