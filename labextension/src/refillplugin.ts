import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { News } from './news';
import { Refill } from './refill';

/** Cells whose jobs went on while no page showed them are filled in when their notebook is opened. */
export const refill: JupyterFrontEndPlugin<void> = {
  id: 'choline-jupyter:refill',
  description: 'Fills in cells whose jobs ran on without a page.',
  autoStart: true,
  requires: [INotebookTracker],
  activate: (app: JupyterFrontEnd, tracker: INotebookTracker) => {
    const { serverSettings, events } = app.serviceManager;
    const news = new News(events.stream);
    tracker.widgetAdded.connect((_, panel) => {
      new Refill(panel, serverSettings, news);
    });
  }
};
