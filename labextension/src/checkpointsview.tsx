import { UseSignal } from '@jupyterlab/ui-components';
import React, { useEffect } from 'react';
import { CheckpointsModel, ICheckpoint } from './checkpointsmodel';
import { Section } from './section';
import { baseName, formatNumber } from './format';
import { formatSize } from './filesview';

/** `step 300, epoch 2, loss 0.412`, of what is known. */
export function describeCheckpoint({ step, epoch, loss }: ICheckpoint): string {
  const tell = (name: string, value: number | null): string => (value === null ? '' : `${name} ${formatNumber(value)}`);
  return [tell('step', step), tell('epoch', epoch), tell('loss', loss)].filter(Boolean).join(', ');
}

function Checkpoint(props: { one: ICheckpoint; model: CheckpointsModel; onResume(job: string): void }): JSX.Element {
  const { one, model, onResume } = props;
  const isPulling = model.isPulling(one.job);
  return (
    <li className="jp-choline-Item" data-checkpoint={one.name} data-home={one.isHome}>
      <div className="jp-choline-Head">
        <span className="jp-choline-Title" title={`${one.folder}/${one.name}`}>
          {describeCheckpoint(one) || one.name}
        </span>
      </div>
      <div className="jp-choline-Facts">
        <span>{formatSize(one.size)}</span>
        <span>{one.isHome ? 'here' : 'on its machine only'}</span>
        {one.isPreview && <span>preview</span>}
        {one.at !== null && <span>{new Date(one.at * 1000).toLocaleString()}</span>}
        {one.notebook && <span>{baseName(one.notebook)}</span>}
      </div>
      {one.isKnown && (
        <div className="jp-choline-Buttons">
          {!one.isHome && (
            <button
              type="button"
              className="jp-choline-Button"
              aria-label={`Pull ${one.name}`}
              disabled={isPulling}
              onClick={() => void model.pull(one.job)}
            >
              {isPulling ? 'Comes …' : 'Pull'}
            </button>
          )}
          {!one.isPreview && (
            <button
              type="button"
              className="jp-choline-Button"
              aria-label={`Resume ${one.job} here`}
              title="Go on from the newest checkpoint of this job, in a new cell of the notebook that is open"
              onClick={() => onResume(one.job)}
            >
              Resume here
            </button>
          )}
        </div>
      )}
    </li>
  );
}

function Checkpoints(props: { model: CheckpointsModel; onResume(job: string): void }): JSX.Element {
  const { model, onResume } = props;
  useEffect(() => {
    const watch = model.watch();
    return () => watch.dispose();
  }, [model]);
  return (
    <UseSignal signal={model.changed}>
      {() => (
        <>
          {model.notice && (
            <p className="jp-choline-Hint" role="status">
              {model.notice}
            </p>
          )}
          {model.checkpoints?.length === 0 && (
            <p className="jp-choline-Hint">
              None yet. In a cell: <code>from choline_jupyter import checkpoint</code>, then{' '}
              <code>checkpoint(step, model=model)</code>. Files that <code>torch.save</code> writes on another machine are
              noticed, too.
            </p>
          )}
          <ul>
            {model.checkpoints?.map(one => (
              <Checkpoint key={`${one.folder}/${one.name}`} one={one} model={model} onResume={onResume} />
            ))}
          </ul>
        </>
      )}
    </UseSignal>
  );
}

export function CheckpointsSection(props: { model: CheckpointsModel; onResume(job: string): void }): JSX.Element {
  return (
    <Section id="checkpoints" title="Checkpoints" isFoldedFirst>
      <Checkpoints {...props} />
    </Section>
  );
}
