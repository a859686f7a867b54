import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import React, { useState } from 'react';
import { formatDuration, formatMoney } from './format';
import { ILimits, IOffer } from './moneytypes';
import { describeOffer } from './offersview';
import { IStartForm, makeRequest, nameOffer, roundPrice, suggestForm } from './starts';

interface IFormProps {
  offer: IOffer;
  needsLaptop: boolean;
  limits: ILimits | undefined;
  first: IStartForm;
  onChange(form: IStartForm): void;
}

/** What it may come to, as a sentence. */
function Sum({ offer, form }: { offer: IOffer; form: IStartForm }): JSX.Element {
  const request = makeRequest(offer, form, '');
  return (
    <p role="status">
      {request ? (
        <>
          At most <strong>{formatMoney(request.budget)}</strong> are spent: that is {formatDuration((request.budget / request.hour) * 3600)}{' '}
          of this machine, or less where disk and transfer cost too. Then it ends itself, and so it does when it was idle for{' '}
          {formatDuration(request.lease * 60)}.
        </>
      ) : (
        'Nothing is rented without a budget of a cent at least, and a minute of idle time.'
      )}
    </p>
  );
}

function Form({ offer, needsLaptop, limits, first, onChange }: IFormProps): JSX.Element {
  const [form, setForm] = useState(first);
  const field = (name: keyof IStartForm, label: string, more: object): JSX.Element => (
    <label>
      {label}
      <input
        type="number"
        required
        value={form[name]}
        onChange={event => {
          const now = { ...form, [name]: event.target.value };
          setForm(now);
          onChange(now);
        }}
        {...more}
      />
    </label>
  );
  return (
    <div className="jp-choline-Start">
      <p>
        <strong>{nameOffer(offer)}</strong> for at most <strong>{formatMoney(roundPrice(offer.hour))} per hour</strong>
        <br />
        {describeOffer({ ...offer, spot: false })}
      </p>
      {/* Drawn when the dialog has looked for what is to have the keyboard already. */}
      {field('budget', 'Budget in USD', { autoFocus: true, min: 0.01, step: 'any', max: limits?.budget ?? undefined })}
      {field('lease', 'Minutes it may be idle', { min: 1, step: 1 })}
      <Sum offer={offer} form={form} />
      {offer.spot && <p>It is a spot machine: it may be taken away at any moment.</p>}
      {needsLaptop && <p>It cannot end itself: this computer has to be there to end it.</p>}
      {limits?.monthly != null && <p className="jp-choline-Hint">The month's budget of {formatMoney(limits.monthly)} holds, too.</p>}
    </div>
  );
}

/** The body of the dialog that asks for consent; its value is what was typed. */
export class StartForm extends ReactWidget implements Dialog.IBodyWidget<IStartForm> {
  constructor(
    private _offer: IOffer,
    private _needsLaptop: boolean,
    private _limits: ILimits | undefined
  ) {
    super();
    this._form = suggestForm(_offer, _limits);
  }

  getValue(): IStartForm {
    return this._form;
  }

  protected render(): JSX.Element {
    return (
      <Form
        offer={this._offer}
        needsLaptop={this._needsLaptop}
        limits={this._limits}
        first={this._form}
        onChange={form => (this._form = form)}
      />
    );
  }

  private _form: IStartForm;
}
