import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, ICommandPalette, showDialog } from '@jupyterlab/apputils';
import React from 'react';
import { describe } from './about';
import { AboutView } from './aboutview';
import { VERSION } from './version';

namespace CommandIDs {
  export const about = 'choline:about';
}

/** The palette is optional, so that the plugin also activates in Notebook 7 and in custom front ends. */
export const about: JupyterFrontEndPlugin<void> = {
  id: 'choline-jupyter:plugin',
  description: 'Says which choline this page and its server run.',
  autoStart: true,
  optional: [ICommandPalette],
  activate: (app: JupyterFrontEnd, palette: ICommandPalette | null) => {
    app.commands.addCommand(CommandIDs.about, {
      label: 'choline: about',
      execute: () => showAbout(app)
    });
    palette?.addItem({ command: CommandIDs.about, category: 'choline' });
  }
};

async function showAbout(app: JupyterFrontEnd): Promise<void> {
  const told = await describe(VERSION, app.serviceManager.serverSettings);
  await showDialog({
    title: 'About choline',
    body: <AboutView {...told} />,
    buttons: [Dialog.okButton()]
  });
}
