import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, ICommandPalette, Notification, showDialog } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { BudgetAlerts, describeAlert } from './budgetalerts';
import { makeCellSections } from './cellsections';
import { News } from './news';
import { findLimits } from './money';
import { MoneyModel } from './moneymodel';
import { IAlert, IOffer } from './moneytypes';
import { aimCell, insertCell, openCell, openExample, showCell } from './notebooks';
import { aimLine, suggestBudget } from './offers';
import { OffersModel } from './offersmodel';
import { Panel, PANEL_ID } from './panel';
import { IPanelActions, IPanelModels } from './panelview';
import { RecordModel } from './recordmodel';
import { explain } from './request';
import { StartForm } from './startdialog';
import { makeRequest } from './starts';
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
    const news = new News(events.stream);
    const models = {
      record: new RecordModel(serverSettings, news),
      money: new MoneyModel(serverSettings, news),
      offers: new OffersModel(serverSettings)
    };
    const sections = makeCellSections(serverSettings, news, tracker);
    const panel = new Panel(models, makeActions(app, models, tracker), sections);
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
    const shown = new Map<string, string>();
    const alerts = new BudgetAlerts(models.money, news, alert => notify(app, alert, shown));
    void app.restored.then(() => alerts.start());
    for (const command of [CommandIDs.show, CommandIDs.example]) {
      palette?.addItem({ command, category: 'choline' });
    }
    performance.measure('choline-activate', 'choline-activate-start');
  }
};

function makeActions(app: JupyterFrontEnd, models: IPanelModels, tracker: INotebookTracker | null): IPanelActions {
  const { record, money } = models;
  return {
    tryIt: () => report(openExample(app)),
    refresh: () => report(record.refresh()),
    interrupt: job => report(record.interrupt(job)),
    stop: session => report(stop(models, session)),
    extend: session => report(record.extend(session.id)),
    start: (offer, needsLaptop) => report(start(models, tracker, offer, needsLaptop)),
    endStart: start => report(record.endStart(start.id)),
    use: offer => report(use(app, tracker, offer, money.money?.limits.budget ?? null)),
    insert: session => {
      const notebook = tracker?.currentWidget;
      if (notebook) {
        insertCell(notebook, session, findLimits(money.money, session));
      } else {
        Notification.info('Open a notebook first: the cell is put into it.', { autoClose: 5000 });
      }
    },
    showCell: job => report(showCell(app, job))
  };
}

/** Have the active cell ask for this offer, or a cell of a new notebook where none is open. */
async function use(
  app: JupyterFrontEnd,
  tracker: INotebookTracker | null,
  offer: IOffer,
  budget: number | null
): Promise<void> {
  const aim = (line: string): string => aimLine(line, [...offer.options, ...suggestBudget(offer, line, budget)]);
  const notebook = tracker?.currentWidget;
  if (notebook) {
    aimCell(notebook, aim);
  } else {
    await openCell(app, `${aim('%%choline')}\n`);
  }
}

/** Say what was spent wherever its user is, in JupyterLab's own notifications; in the place of what was said before. */
function notify(app: JupyterFrontEnd, alert: IAlert, shown: Map<string, string>): void {
  const { session, reached } = alert;
  const before = shown.get(session);
  if (before) {
    Notification.dismiss(before);
  }
  const id = Notification.emit(describeAlert(alert), reached >= 1 ? 'error' : reached >= 0.8 ? 'warning' : 'info', {
    autoClose: reached >= 0.8 ? false : 15_000,
    actions: [
      {
        label: 'Show sessions',
        caption: "Open choline's panel",
        displayType: 'accent',
        callback: () => app.shell.activateById(PANEL_ID)
      }
    ]
  });
  shown.set(session, id);
}

/** Ask what it may cost; only who says yes rents, and no more than was said. */
async function start(
  { record, money }: IPanelModels,
  tracker: INotebookTracker | null,
  offer: IOffer,
  needsLaptop: boolean
): Promise<void> {
  const { button, value } = await showDialog({
    title: 'Start a session?',
    body: new StartForm(offer, needsLaptop, money.money?.limits),
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: 'Rent it', caption: 'You agree to this price and amount' })],
    defaultButton: 0,
    focusNodeSelector: '.jp-choline-Start input'
  });
  if (!button.accept || !value) {
    return;
  }
  const context = tracker?.currentWidget?.context;
  const wish = makeRequest(offer, value, context ? (context.localPath ?? context.path) : '');
  if (wish) {
    await record.start(wish);
  } else {
    Notification.warning('Nothing was rented: it needs a budget and an idle time.', { autoClose: 5000 });
  }
}

/** Stopping ends work: it is asked once more. */
async function stop({ record, money }: IPanelModels, session: ISession): Promise<void> {
  const isRented = money.money?.machines.some(machine => machine.label === session.machine);
  const answer = await showDialog({
    title: 'Stop the session?',
    body:
      `What runs in ${session.name} on ${session.machine} is ended, and its variables are gone.` +
      (isRented ? ' Its machine is given back, and costs nothing from then on.' : ''),
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: 'Stop' })]
  });
  if (answer.button.accept && !(await record.stop(session.id))) {
    Notification.warning('Its machine is not known to be gone yet, and may still cost. The panel shows it until it is.');
  }
}

/** Say what went wrong where the user sees it. */
function report(work: Promise<void>): void {
  work.catch(error => Notification.error(explain(error)));
}
