import { UseSignal } from '@jupyterlab/ui-components';
import React, { useEffect } from 'react';
import { FilesModel, IFile, IFilesReport } from './filesmodel';
import { Section } from './section';
import { formatNumber } from './format';

/** `12.5 MB`, in decimal units. */
export function formatSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return `${formatNumber(bytes / 1000 ** power)} ${units[power]}`;
}

/** What a report says as a whole. */
export function summariseFiles(report: IFilesReport): string {
  if (report.problem) {
    return report.problem;
  }
  if (report.shares) {
    return `The cell runs on ${report.machine}, in the notebook's own folder: nothing is copied.`;
  }
  const files = report.count === 1 ? '1 file' : `${report.count ?? 0} files`;
  return `${files}, ${formatSize(report.size ?? 0)} in all: this is what the code needs of this machine on ${report.machine}.`;
}

function File({ file }: { file: IFile }): JSX.Element {
  return (
    <li className="jp-choline-Item" data-file={file.path} data-held={file.held !== ''}>
      <div className="jp-choline-Head">
        <span className="jp-choline-Title" title={file.path}>
          {file.path}
        </span>
        <span className="jp-choline-Number">{formatSize(file.size)}</span>
      </div>
      <div className="jp-choline-Facts">
        <span>{file.why}</span>
        {file.held && (
          <span className="jp-choline-Held">
            {file.asks ? 'asks first' : 'stays here'}: {file.held}
            {file.way && ` (${file.way})`}
          </span>
        )}
      </div>
    </li>
  );
}

function Files({ model }: { model: FilesModel }): JSX.Element {
  useEffect(() => {
    const watch = model.watch();
    return () => watch.dispose();
  }, [model]);
  return (
    <UseSignal signal={model.changed}>
      {() => (
        <>
          <p className="jp-choline-Hint" role="status">
            {model.report ? summariseFiles(model.report) : model.hint}
          </p>
          <ul>
            {model.report?.files?.map(file => (
              <File key={file.path} file={file} />
            ))}
          </ul>
          {!!model.report?.more && <p className="jp-choline-Hint">and {model.report.more} more</p>}
        </>
      )}
    </UseSignal>
  );
}

/** What goes with the active cell, why, and what is held back. */
export function FilesSection({ model }: { model: FilesModel }): JSX.Element {
  return (
    <Section id="files" title="Files of the active cell" isFoldedFirst>
      <Files model={model} />
    </Section>
  );
}
