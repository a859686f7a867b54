import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, ICommandPalette, Notification, showDialog } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { News } from './news';
import { insertCell, openExample, showCell } from './notebooks';
import { Panel, PANEL_ID } from './panel';
import { IPanelActions } from './panelview';
import { RecordModel } from './recordmodel';
import { explain } from './request';
import { ISession } from './types';

namespace CommandIDs {
  export const show = 'choline:show-panel';
  export const example = 'choline:open-example';
}

/** The panel in the left sidebar. Only the shell is needed, so it activates in Notebook 7 too. */
export const sidebar: JupyterFrontEndPlugin<void> = {
  id: 'choline-jupyter:sidebar',
  description: 'The panel that shows sessions and jobs.',
  autoStart: true,
  optional: [ILayoutRestorer, ICommandPalette, INotebookTracker],
  activate: (
    app: JupyterFrontEnd,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    tracker: INotebookTracker | null
  ) => {
    performance.mark('choline-activate-start');
    const { serverSettings, events } = app.serviceManager;
    const model = new RecordModel(serverSettings, new News(events.stream));
    const panel = new Panel(model, makeActions(app, model, tracker));
    app.shell.add(panel, 'left', { rank: 600 });
    restorer?.add(panel, PANEL_ID);
    app.commands.addCommand(CommandIDs.show, {
      label: 'choline: show sessions and jobs',
      execute: () => app.shell.activateById(PANEL_ID)
    });
    app.commands.addCommand(CommandIDs.example, {
      label: 'choline: open the example notebook',
      execute: () => openExample(app)
    });
    for (const command of [CommandIDs.show, CommandIDs.example]) {
      palette?.addItem({ command, category: 'choline' });
    }
    performance.measure('choline-activate', 'choline-activate-start');
  }
};

function makeActions(app: JupyterFrontEnd, model: RecordModel, tracker: INotebookTracker | null): IPanelActions {
  return {
    tryIt: () => report(openExample(app)),
    refresh: () => report(model.refresh()),
    interrupt: job => report(model.interrupt(job)),
    stop: session => report(stop(model, session)),
    insert: session => {
      const notebook = tracker?.currentWidget;
      if (notebook) {
        insertCell(notebook, session);
      } else {
        Notification.info('Open a notebook first: the cell is put into it.', { autoClose: 5000 });
      }
    },
    showCell: job => report(showCell(app, job))
  };
}

/** Stopping ends work: it is asked once more. */
async function stop(model: RecordModel, session: ISession): Promise<void> {
  const answer = await showDialog({
    title: 'Stop the session?',
    body: `What runs in ${session.name} on ${session.machine} is ended, and its variables are gone.`,
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: 'Stop' })]
  });
  if (answer.button.accept) {
    await model.stop(session.id);
  }
}

/** Say what went wrong where the user sees it. */
function report(work: Promise<void>): void {
  work.catch(error => Notification.error(explain(error)));
}
