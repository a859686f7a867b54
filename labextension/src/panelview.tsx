import { UseSignal } from '@jupyterlab/ui-components';
import React, { memo, useEffect, useMemo, useRef, useState } from 'react';
import { Budget } from './budgetview';
import { formatMoney } from './format';
import { IJobActions, JobView } from './jobview';
import { sumHourly } from './money';
import { MoneyModel } from './moneymodel';
import { OffersModel } from './offersmodel';
import { IOfferActions, Offers } from './offersview';
import { Gpus } from './rankview';
import { RecordModel } from './recordmodel';
import { Section } from './section';
import { describePlace, ISessionActions, MachineView, SessionView } from './sessionview';
import { IStartActions, StartView } from './startview';
import { IJob, isOpen } from './types';
import { Welcome } from './welcome';

/** What the panel shows. */
export interface IPanelModels {
  record: RecordModel;
  money: MoneyModel;
  offers: OffersModel;
}

/** All that the panel can have done. */
export interface IPanelActions extends ISessionActions, IStartActions, IOfferActions, Omit<IJobActions, 'open'> {
  tryIt(): void;
  refresh(): void;
}

interface IProps {
  models: IPanelModels;
  actions: IPanelActions;
  now: number;
}

interface IPanelViewProps extends Omit<IProps, 'now'> {
  /** What stands between jobs and offers. */
  sections: React.ReactNode[];
}

/** The time, which goes on while something runs or costs. */
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

function Sessions({ models, actions, now }: IProps): JSX.Element {
  const { record, money } = models;
  const machines = money.money?.machines ?? [];
  const told = money.toldAt;
  const labels = new Set(record.sessions.map(session => session.machine));
  const starts = new Set(record.starts.map(start => start.id));
  const alone = machines.filter(machine => !labels.has(machine.label) && !starts.has(machine.session));
  const hourly = sumHourly(machines);
  return (
    <Section id="sessions" title="Sessions" summary={hourly > 0 && `${formatMoney(hourly)}/h`}>
      {record.sessions.length + record.starts.length + alone.length === 0 && <p className="jp-choline-Hint">No session is open.</p>}
      <ul>
        {record.starts.map(start => (
          <StartView
            key={start.id}
            start={start}
            machine={machines.find(machine => machine.session === start.id)}
            told={told}
            now={now}
            actions={actions}
          />
        ))}
        {alone.map(machine => (
          <MachineView key={machine.label} machine={machine} told={told} now={now} />
        ))}
        {record.sessions.map(session => (
          <SessionView
            key={session.id}
            session={session}
            life={record.findLife(session.id)}
            machine={machines.find(machine => machine.label === session.machine)}
            told={told}
            now={now}
            actions={actions}
          />
        ))}
      </ul>
    </Section>
  );
}

/** A job that has ended is drawn once: thousands of them stand still while one runs. */
const Job = memo(JobView);

function Jobs({ models, actions, now }: IProps): JSX.Element {
  const { record, money } = models;
  const [isUnfolded, open] = useUnfolded(record);
  const newest = useRef(open);
  newest.current = open;
  const stable = useMemo(() => ({ ...actions, open: (job: IJob) => newest.current(job) }), [actions]);
  const machines = new Map(
    money.money?.machines.map(machine => [machine.label, `${machine.gpus} on ${machine.provider}`.trim()])
  );
  const places = new Map(
    record.sessions.map(session => [session.id, machines.get(session.machine) ?? describePlace(session)])
  );
  const running = record.jobs.filter(isOpen).length;
  return (
    <Section id="jobs" title="Jobs" summary={running > 0 && `${running} open`}>
      {record.jobs.length === 0 && <p className="jp-choline-Hint">No cell has run yet.</p>}
      <ul>
        {record.jobs.map(job => (
          <Job
            key={job.id}
            job={job}
            where={places.get(job.session) ?? ''}
            cost={money.findCost(job)}
            now={isOpen(job) ? now : 0}
            isUnfolded={isUnfolded(job)}
            actions={stable}
          />
        ))}
      </ul>
      {record.hasMore && (
        <button type="button" className="jp-choline-Button" onClick={() => void record.fetchOlder()}>
          Show older jobs
        </button>
      )}
    </Section>
  );
}

function Body({ models, actions, sections }: IPanelViewProps): JSX.Element {
  const { record, money } = models;
  const { jobs, sessions } = record;
  const now = useNow(sessions.length > 0 || jobs.some(isOpen) || sumHourly(money.money?.machines ?? []) > 0);
  if (!record.isReady) {
    return <p className="jp-choline-Hint">{record.problem ? '' : 'Looking …'}</p>;
  }
  const isFirst = jobs.length + sessions.length + record.starts.length === 0 && !money.money?.machines.length;
  return (
    <>
      {isFirst && <Welcome onTry={actions.tryIt} />}
      {!isFirst && <Sessions models={models} actions={actions} now={now} />}
      {!isFirst && <Jobs models={models} actions={actions} now={now} />}
      {!isFirst && <Gpus jobs={jobs} />}
      {sections}
      <Offers model={models.offers} actions={actions} />
      <Budget model={money} />
    </>
  );
}

/** The whole panel. What is wrong stands on top and is read out; the rest stays as it was last known. */
export function PanelView({ models, actions, sections }: IPanelViewProps): JSX.Element {
  const { record, money } = models;
  return (
    <UseSignal signal={record.changed}>
      {() => (
        <UseSignal signal={money.changed}>
          {() => (
            <div className="jp-choline-Body">
              <div role="alert" className="jp-choline-Problem" hidden={!record.problem}>
                {record.problem}
                {record.problem && (
                  <button type="button" className="jp-choline-Button" onClick={actions.refresh}>
                    Try again
                  </button>
                )}
              </div>
              {record.notice && <p className="jp-choline-Hint">{record.notice}</p>}
              <Body models={models} actions={actions} sections={sections} />
            </div>
          )}
        </UseSignal>
      )}
    </UseSignal>
  );
}
