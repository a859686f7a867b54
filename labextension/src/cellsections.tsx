import { Notification } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ServerConnection } from '@jupyterlab/services';
import React from 'react';
import { CheckpointsModel } from './checkpointsmodel';
import { CheckpointsSection } from './checkpointsview';
import { FilesModel } from './filesmodel';
import { FilesSection } from './filesview';
import { News } from './news';
import { resumeHere } from './notebooks';

/** The sections on checkpoints and on the active cell's files. */
export function makeCellSections(
  settings: ServerConnection.ISettings,
  news: News,
  tracker: INotebookTracker | null
): JSX.Element[] {
  const resume = (job: string): void => {
    const notebook = tracker?.currentWidget;
    if (notebook) {
      void resumeHere(notebook, job);
    } else {
      Notification.info('Open a notebook first: the job goes on in it.', { autoClose: 5000 });
    }
  };
  return [
    <CheckpointsSection key="checkpoints" model={new CheckpointsModel(settings, news)} onResume={resume} />,
    <FilesSection key="files" model={new FilesModel(tracker)} />
  ];
}
