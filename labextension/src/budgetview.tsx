import React from 'react';
import { formatMoney } from './format';
import { Gauge } from './gauge';
import { findLevel, findMonth, findShare, sumHourly } from './money';
import { MoneyModel } from './moneymodel';
import { ILimits, IMoney } from './moneytypes';
import { Section } from './section';

const WIDTH = 300;
const HEIGHT = 48;

/** What was spent on each day, as bars; the last one is today. */
export function Days({ days }: { days: IMoney['days'] }): JSX.Element | null {
  const most = Math.max(0, ...days.map(([, amount]) => amount));
  if (most === 0) {
    return null;
  }
  const step = WIDTH / days.length;
  const [dearest] = days.find(([, amount]) => amount === most) as IMoney['days'][0];
  return (
    <figure className="jp-choline-Days">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Spent each day of the last ${days.length}: at most ${formatMoney(most)}, on ${dearest}`}
      >
        {days.map(([date, amount], index) => {
          const height = amount ? Math.max(1.5, (amount / most) * HEIGHT) : 0.75;
          return (
            <rect
              key={date}
              className={amount ? 'jp-choline-Day' : 'jp-choline-Day jp-mod-empty'}
              x={index * step + 1}
              y={HEIGHT - height}
              width={step - 2}
              height={height}
              rx={1}
            >
              <title>{`${date}: ${formatMoney(amount)}`}</title>
            </rect>
          );
        })}
      </svg>
      <figcaption>
        <span>{days[0][0]}</span>
        <span>most {formatMoney(most)}</span>
        <span>today</span>
      </figcaption>
    </figure>
  );
}

function Limits({ limits }: { limits: ILimits }): JSX.Element {
  return (
    <>
      <dl className="jp-choline-Limits">
        <dt>A session at most</dt>
        <dd>{limits.budget === null ? 'as its cell says' : formatMoney(limits.budget)}</dd>
        <dt>A month at most</dt>
        <dd>{limits.monthly === null ? 'no limit' : formatMoney(limits.monthly)}</dd>
        <dt>Without asking you</dt>
        <dd>{limits.auto_approve ? `up to ${formatMoney(limits.auto_approve)}` : 'never'}</dd>
      </dl>
      {limits.problem && (
        <p role="alert" className="jp-choline-Problem">
          {limits.problem}
        </p>
      )}
      <p className="jp-choline-Hint">
        Set under <code>[money]</code> in <code>{limits.path}</code>. A notebook can lower them, never raise them.
      </p>
    </>
  );
}

function Month({ money, now }: { money: IMoney; now: number }): JSX.Element {
  const spent = findMonth(money, now);
  const { monthly } = money.limits;
  const promised = money.month.reserved;
  const text = monthly === null ? `${formatMoney(spent)} this month` : `${formatMoney(spent)} of ${formatMoney(monthly)} this month`;
  const level = findLevel(findShare(spent, monthly));
  return (
    <div className="jp-choline-Month">
      <p className="jp-choline-Big">
        <strong>{formatMoney(spent)}</strong> <span>{monthly === null ? 'this month' : `of ${formatMoney(monthly)} this month`}</span>
      </p>
      {monthly !== null && <Gauge label="Budget of the month" value={spent} limit={monthly} promised={promised} text={text} />}
      {promised > 0 && (
        <p className="jp-choline-Hint">
          {formatMoney(promised)} more may be spent by machines that run now, at {formatMoney(sumHourly(money.machines))}/h.
        </p>
      )}
      {level === 'spent' && (
        <p role="alert" className="jp-choline-Problem">
          The month's budget is spent. Nothing more is rented until it is raised, or the next month begins.
        </p>
      )}
    </div>
  );
}

export function Budget({ model }: { model: MoneyModel }): JSX.Element {
  const { money, problem } = model;
  const spent = money ? findMonth(money, model.now) : 0;
  return (
    <Section id="budget" title="Budget" summary={money?.is_used && `${formatMoney(spent)} this month`}>
      {problem && (
        <p role="alert" className="jp-choline-Problem">
          What was spent cannot be told: {problem}
        </p>
      )}
      {money?.notice && <p className="jp-choline-Hint">{money.notice}</p>}
      {money?.is_used && (
        <>
          <Month money={money} now={model.now} />
          <Days days={money.days} />
        </>
      )}
      {money && !money.is_used && (
        <p className="jp-choline-Hint">Nothing was ever rented here: all that has run was free.</p>
      )}
      {money && <Limits limits={money.limits} />}
    </Section>
  );
}
