import { UseSignal } from '@jupyterlab/ui-components';
import React, { useState } from 'react';
import { formatMoney } from './format';
import { IOffer, IOffers, IProvider, IWish } from './moneytypes';
import { Column } from './offers';
import { OffersModel } from './offersmodel';
import { Section } from './section';

const SHOWN = 10;
const GPUS = ['a10', 'a100', 'h100', 'h200', 'l4', 'l40s', '3090', '4090', '5090', 't4'];
const COLUMNS: [Column, string][] = [
  ['gpus', 'GPU'],
  ['provider', 'Provider'],
  ['hour', '$/h'],
  ['total', 'Run']
];

function Search({ model }: { model: OffersModel }): JSX.Element {
  const [wish, change] = useState<IWish>({ gpu: '', count: '', maxPrice: '', spot: false });
  const text = (name: 'gpu' | 'count' | 'maxPrice') => (event: React.ChangeEvent<HTMLInputElement>) =>
    change({ ...wish, [name]: event.target.value });
  const submit = (event: React.FormEvent): void => {
    event.preventDefault();
    void model.search(wish);
  };
  return (
    <form className="jp-choline-Search" onSubmit={submit} role="search" aria-label="Offers">
      <label className="jp-mod-wide">
        GPU
        <input type="text" value={wish.gpu} onChange={text('gpu')} placeholder="any" list="jp-choline-gpus" spellCheck={false} />
        <datalist id="jp-choline-gpus">
          {GPUS.map(name => (
            <option key={name} value={name} />
          ))}
        </datalist>
      </label>
      <label>
        Count
        <input type="number" min={1} max={64} value={wish.count} onChange={text('count')} placeholder="any" />
      </label>
      <label>
        Max $/h
        <input type="number" min={0.01} step="any" value={wish.maxPrice} onChange={text('maxPrice')} placeholder="any" />
      </label>
      <label className="jp-mod-check" title="A machine that may be taken away at any moment, for less">
        <input type="checkbox" checked={wish.spot} onChange={event => change({ ...wish, spot: event.target.checked })} />
        spot
      </label>
      <button type="submit" className="jp-choline-Button jp-mod-accept">
        {model.isAsking ? 'Asking …' : 'Search'}
      </button>
    </form>
  );
}

function Head({ model }: { model: OffersModel }): JSX.Element {
  const { column: sorted, isDescending } = model.order;
  return (
    <thead>
      <tr>
        {COLUMNS.map(([column, title]) => (
          <th
            key={column}
            scope="col"
            data-column={column}
            aria-sort={column === sorted ? (isDescending ? 'descending' : 'ascending') : 'none'}
          >
            <button type="button" onClick={() => model.sortBy(column)}>
              {title}
            </button>
          </th>
        ))}
      </tr>
    </thead>
  );
}

/** What the total is made of, as one would say it. */
export function describeParts(offer: IOffer): string {
  const parts = offer.parts.map(([what, amount]) => `${what} ${formatMoney(amount)}`);
  return [offer.name, parts.join(' + '), offer.failures ? `failed ${offer.failures} times lately` : ''].filter(Boolean).join('\n');
}

/** What an offer's second line says: memory, spot, where, and whether nothing but this laptop would end a forgotten machine. */
export function describeOffer(offer: IOffer, needsLaptop = false): string {
  const memory = offer.memory ? `${Math.round(offer.memory)} GiB` : '';
  const words = [memory, offer.spot ? 'spot, may be taken away' : '', offer.region, needsLaptop ? 'needs this laptop' : ''];
  return words.filter(Boolean).join(' · ');
}

/** What can be done with an offer: have a cell ask for it, or rent it now. */
export interface IOfferActions {
  use(offer: IOffer): void;
  start(offer: IOffer, needsLaptop: boolean): void;
}

function Row(props: { offer: IOffer; needsLaptop: boolean; actions: IOfferActions }): JSX.Element {
  const { offer, needsLaptop, actions } = props;
  const what = `${offer.gpus || offer.name} on ${offer.provider}`;
  return (
    <tbody data-offer={offer.name} title={describeParts(offer)}>
      <tr>
        <td>{offer.gpus.replace(/^1x /, '') || 'no GPU'}</td>
        <td>{offer.provider}</td>
        <td className="jp-choline-Number">
          {offer.hour.toFixed(2)}
          {!offer.live && <abbr title="from a list; it may have changed">?</abbr>}
        </td>
        <td className="jp-choline-Number">{formatMoney(offer.total)}</td>
      </tr>
      <tr>
        <td colSpan={COLUMNS.length}>
          <div className="jp-choline-Take">
            <span>{describeOffer(offer, needsLaptop)}</span>
            <button
              type="button"
              className="jp-choline-Button"
              aria-label={`Use ${what}`}
              title="Have the current cell ask for it"
              onClick={() => actions.use(offer)}
            >
              Use
            </button>
            <button
              type="button"
              className="jp-choline-Button"
              aria-label={`Start session on ${what}`}
              title="Rent it now, when you have agreed to what it may cost"
              onClick={() => actions.start(offer, needsLaptop)}
            >
              Start session
            </button>
          </div>
        </td>
      </tr>
    </tbody>
  );
}

function Down({ provider }: { provider: IProvider }): JSX.Element {
  return (
    <tbody className="jp-choline-Down" data-provider={provider.name}>
      <tr>
        <td colSpan={COLUMNS.length}>
          <strong>{provider.name}</strong> could not be asked: {provider.said}
        </td>
      </tr>
    </tbody>
  );
}

/** Who could be asked as well, with a key. */
function Unready({ providers }: { providers: IProvider[] }): JSX.Element {
  return (
    <details className="jp-choline-More">
      <summary>More providers can be added: {providers.map(one => one.name).join(', ')}</summary>
      <ul>
        {providers.map(one => (
          <li key={one.name} data-provider={one.name}>
            <code>choline login {one.name}</code> {one.said}
          </li>
        ))}
      </ul>
    </details>
  );
}

function Found(props: { model: OffersModel; found: IOffers; actions: IOfferActions }): JSX.Element {
  const { model, found, actions } = props;
  const [isAll, showAll] = useState(false);
  const down = found.providers.filter(one => one.state === 'down');
  const unready = found.providers.filter(one => one.state === 'unready');
  const shown = isAll ? found.offers : found.offers.slice(0, SHOWN);
  const weak = new Set(found.providers.filter(one => one.needs_laptop).map(one => one.name));
  const hasAnswer = found.providers.length > unready.length;
  return (
    <>
      {hasAnswer && found.count === 0 && <p>Nobody offers that now.</p>}
      {hasAnswer && found.count + down.length > 0 && (
        <table className="jp-choline-Offers">
          <caption>
            {found.count === 1 ? '1 offer' : `${found.count} offers`}. <em>Run</em>: what {found.plan.hours} h with {found.plan.disk} GiB of
            disk cost there in all.
          </caption>
          <Head model={model} />
          {down.map(one => (
            <Down key={one.name} provider={one} />
          ))}
          {shown.map(offer => (
            <Row
              key={`${offer.provider} ${offer.name} ${offer.region} ${offer.spot}`}
              offer={offer}
              needsLaptop={weak.has(offer.provider)}
              actions={actions}
            />
          ))}
        </table>
      )}
      {!hasAnswer && (
        <p className="jp-choline-Hint">
          No provider is set up yet. <code>choline login NAME</code> in a terminal asks for a key and keeps it with you.
        </p>
      )}
      {!isAll && found.offers.length > SHOWN && (
        <button type="button" className="jp-choline-Button" onClick={() => showAll(true)}>
          Show {found.offers.length - SHOWN} more
        </button>
      )}
      {unready.length > 0 && <Unready providers={unready} />}
    </>
  );
}

export function Offers({ model, actions }: { model: OffersModel; actions: IOfferActions }): JSX.Element {
  return (
    <Section id="offers" title="Offers" isFoldedFirst>
      <UseSignal signal={model.changed}>
        {() => (
          <>
            <Search model={model} />
            <p role="status" className="jp-choline-Hidden">
              {model.isAsking ? 'Asking the providers' : model.found ? `${model.found.count} offers` : ''}
            </p>
            {model.problem && (
              <p role="alert" className="jp-choline-Problem">
                {model.problem}
              </p>
            )}
            {!model.found && !model.problem && (
              <p className="jp-choline-Hint">
                All providers are asked at once, and what a run costs there is reckoned: machine, disk, transfer, start. Nothing is
                rented before you agree.
              </p>
            )}
            {model.found && <Found model={model} found={model.found} actions={actions} />}
          </>
        )}
      </UseSignal>
    </Section>
  );
}
