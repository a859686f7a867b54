import { UseSignal } from '@jupyterlab/ui-components';
import React, { useEffect, useState } from 'react';
import { IJobActions, JobView } from './jobview';
import { RecordModel } from './recordmodel';
import { describePlace, ISessionActions, SessionView } from './sessionview';
import { IJob, isOpen } from './types';
import { Welcome } from './welcome';

/** All that the panel can have done. */
export interface IPanelActions extends ISessionActions, Omit<IJobActions, 'open'> {
  tryIt(): void;
  refresh(): void;
}

/** The time, which goes on while something runs. */
function useNow(isRunning: boolean): number {
  const [now, setNow] = useState(Date.now() / 1000);
  useEffect(() => {
    setNow(Date.now() / 1000);
    if (!isRunning) {
      return;
    }
    const timer = window.setInterval(() => setNow(Date.now() / 1000), 1000);
    return () => window.clearInterval(timer);
  }, [isRunning]);
  return Math.max(now, Date.now() / 1000);
}

/** Which jobs are unfolded: open ones unless they were folded, ended ones when they were opened. */
function useUnfolded(model: RecordModel): [(job: IJob) => boolean, (job: IJob) => void] {
  const [chosen, choose] = useState<{ [id: string]: boolean }>({});
  const isUnfolded = (job: IJob): boolean => chosen[job.id] ?? isOpen(job);
  const toggle = (job: IJob): void => {
    if (!isUnfolded(job) && job.tail === undefined) {
      void model.fetchJobs([job.id]);
    }
    choose({ ...chosen, [job.id]: !isUnfolded(job) });
  };
  return [isUnfolded, toggle];
}

function Section(props: { id: string; title: string; children: React.ReactNode }): JSX.Element {
  const id = `jp-choline-${props.id}`;
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{props.title}</h2>
      {props.children}
    </section>
  );
}

function Sessions({ model, actions, now }: { model: RecordModel; actions: IPanelActions; now: number }): JSX.Element {
  return (
    <Section id="sessions" title="Sessions">
      {model.sessions.length === 0 && <p className="jp-choline-Hint">No session is open.</p>}
      <ul>
        {model.sessions.map(session => (
          <SessionView
            key={session.id}
            session={session}
            life={model.findLife(session.id)}
            now={now}
            actions={actions}
          />
        ))}
      </ul>
    </Section>
  );
}

function Jobs({ model, actions, now }: { model: RecordModel; actions: IPanelActions; now: number }): JSX.Element {
  const [isUnfolded, open] = useUnfolded(model);
  const places = new Map(model.sessions.map(session => [session.id, describePlace(session)]));
  return (
    <Section id="jobs" title="Jobs">
      <ul>
        {model.jobs.map(job => (
          <JobView
            key={job.id}
            job={job}
            where={places.get(job.session) ?? ''}
            now={now}
            isUnfolded={isUnfolded(job)}
            actions={{ ...actions, open }}
          />
        ))}
      </ul>
      {model.hasMore && <p className="jp-choline-Hint">Older jobs: `choline status` and `choline logs JOB`.</p>}
    </Section>
  );
}

function Body({ model, actions }: { model: RecordModel; actions: IPanelActions }): JSX.Element {
  const jobs = model.jobs;
  const now = useNow(model.sessions.length > 0 || jobs.some(isOpen));
  if (!model.isReady) {
    return <p className="jp-choline-Hint">{model.problem ? '' : 'Looking …'}</p>;
  }
  if (jobs.length === 0 && model.sessions.length === 0) {
    return <Welcome onTry={actions.tryIt} />;
  }
  return (
    <>
      <Sessions model={model} actions={actions} now={now} />
      <Jobs model={model} actions={actions} now={now} />
    </>
  );
}

/** The whole panel. What is wrong stands on top and is read out; the rest stays as it was last known. */
export function PanelView({ model, actions }: { model: RecordModel; actions: IPanelActions }): JSX.Element {
  return (
    <UseSignal signal={model.changed}>
      {() => (
        <div className="jp-choline-Body">
          <div role="alert" className="jp-choline-Problem" hidden={!model.problem}>
            {model.problem}
            {model.problem && (
              <button type="button" className="jp-choline-Button" onClick={actions.refresh}>
                Try again
              </button>
            )}
          </div>
          {model.notice && <p className="jp-choline-Hint">{model.notice}</p>}
          <Body model={model} actions={actions} />
        </div>
      )}
    </UseSignal>
  );
}
