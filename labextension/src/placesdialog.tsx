import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import React, { useState } from 'react';
import { hostWords, IChoice, IPlaces, rentWords } from './places';

interface IFormProps {
  choices: IChoice[];
  places: IPlaces;
  onChange(words: string[] | null): void;
}

/** Which of the choices is taken, or what is typed instead. */
type Taken = number | 'host' | 'rent';

function Places({ choices, places, onChange }: IFormProps): JSX.Element {
  const [taken, take] = useState<Taken>(0);
  const [form, setForm] = useState({ host: '', gpu: '', count: '1', budget: '' });
  const choose = (now: Taken, typed = form): void => {
    take(now);
    setForm(typed);
    if (typeof now === 'number') {
      onChange(choices[now].words);
    } else {
      onChange(now === 'host' ? hostWords(typed.host) : rentWords(typed.gpu, Number(typed.count), typed.budget));
    }
  };
  const radio = (now: Taken): JSX.Element => (
    <input type="radio" name="jp-choline-place" checked={taken === now} onChange={() => choose(now)} />
  );
  const field = (name: keyof typeof form, now: Taken, label: string, more: object = {}): JSX.Element => (
    <input
      type="text"
      aria-label={label}
      placeholder={label}
      value={form[name]}
      onFocus={() => choose(now)}
      onChange={event => choose(now, { ...form, [name]: event.target.value })}
      {...more}
    />
  );
  return (
    <fieldset className="jp-choline-Places">
      <legend>Where is this cell to run?</legend>
      {choices.map((choice, index) => (
        <label key={index}>
          {radio(index)}
          {choice.label}
        </label>
      ))}
      <label>
        {radio('host')} another host {field('host', 'host', 'user@name')}
      </label>
      <label>
        {radio('rent')} rented: {field('count', 'rent', 'how many', { type: 'number', min: 1, placeholder: '' })} x{' '}
        {field('gpu', 'rent', 'GPU, such as a100', { list: 'jp-choline-gpus' })} for at most{' '}
        {field('budget', 'rent', 'USD', { type: 'number', min: 0, step: 'any' })} USD
      </label>
      <datalist id="jp-choline-gpus">
        {places.gpus.map(gpu => (
          <option key={gpu} value={gpu} />
        ))}
      </datalist>
      {places.providers.length === 0 && (
        <div className="jp-choline-Hint">
          No provider can be used yet: <code>choline login PROVIDER</code> in a terminal keeps a key.
        </div>
      )}
      {places.notice && <div className="jp-choline-Hint">{places.notice}</div>}
    </fieldset>
  );
}

/** The body of the dialog; its value are the words of the place that was chosen, null while there is none. */
export class PlacesForm extends ReactWidget implements Dialog.IBodyWidget<string[] | null> {
  constructor(
    private _choices: IChoice[],
    private _places: IPlaces
  ) {
    super();
    this._words = _choices[0].words;
  }

  getValue(): string[] | null {
    return this._words;
  }

  protected render(): JSX.Element {
    return (
      <Places choices={this._choices} places={this._places} onChange={words => (this._words = words)} />
    );
  }

  private _words: string[] | null;
}
