import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { JobElement, RankOutput } from './jobelement';
import { JOB, RANKS } from './mime';
import { News } from './news';

/** Jobs and their ranks in the cells that ran them. Drawn in untrusted notebooks, too: they hold an id and text. */
export const element: JupyterFrontEndPlugin<void> = {
  id: 'choline-jupyter:element',
  description: 'Draws jobs and their ranks in the cells that ran them.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  activate: (app: JupyterFrontEnd, registry: IRenderMimeRegistry) => {
    const { serverSettings, events } = app.serviceManager;
    const news = new News(events.stream);
    const createRenderer = (): JobElement => new JobElement(serverSettings, news);
    registry.addFactory({ safe: true, mimeTypes: [JOB], createRenderer }, 0);
    registry.addFactory({ safe: true, mimeTypes: [RANKS], createRenderer: () => new RankOutput() }, 0);
  }
};
