import { findLimits } from '../money';
import { writeLine } from '../notebooks';
import { makeRequest, roundPrice, suggestForm } from '../starts';
import { ISession } from '../types';
import { makeMachine, makeMoney, makeOffer } from './moneysamples';

const SESSION: ISession = {
  id: 's-one',
  name: 'a100',
  notebook: '',
  provider: 'runpod',
  machine: 'choline-1',
  directory: '/notes',
  epoch: 1,
  state: 'ready',
  created: 1
};

describe('makeRequest', () => {
  const offer = makeOffer({ hour: 1.1901, gpus: '1x A100 80GB' });

  it('says what was agreed to, the price in whole cents and never below it', () => {
    expect(makeRequest(offer, { budget: '2.5', lease: '10' }, 'a.ipynb')).toEqual({
      options: offer.options,
      what: '1x A100 80GB on runpod',
      hour: 1.2,
      budget: 2.5,
      lease: 10,
      path: 'a.ipynb',
      agreed: true
    });
    expect(roundPrice(0.34)).toBe(0.34);
    expect(roundPrice(1.1)).toBe(1.1);
    expect(roundPrice(0.341)).toBe(0.35);
  });

  it.each([
    ['', '30'],
    ['0', '30'],
    ['-1', '30'],
    ['0.001', '30'],
    ['1e999', '30'],
    ['x', '30'],
    ['1', ''],
    ['1', '0']
  ])('is none for a budget of %p and %p minutes', (budget, lease) => {
    expect(makeRequest(offer, { budget, lease }, '')).toBeNull();
  });

  it('begins with the budget of the configuration, else with what the run costs', () => {
    expect(suggestForm(offer, makeMoney().limits)).toEqual({ budget: '5', lease: '30' });
    const limits = { ...makeMoney().limits, budget: null };
    expect(suggestForm({ ...offer, total: 1.3 }, limits)).toEqual({ budget: '2', lease: '30' });
    expect(suggestForm({ ...offer, total: 1.3 }, undefined)).toEqual({ budget: '2', lease: '30' });
  });
});

describe('a cell on a session that was started so', () => {
  const machine = makeMachine({ budget: 2, lease: 600 });

  it('keeps the limits of its machine', () => {
    const money = makeMoney({ machines: [machine] });
    const line = writeLine(SESSION, 'a.ipynb', findLimits(money, SESSION));
    expect(line).toBe('%%choline --provider runpod --session a100 --budget 2 --lease 600s');
  });

  it('says nothing that it would mean anyway', () => {
    const money = makeMoney({ machines: [makeMachine({ budget: 5, lease: 1800 })] });
    expect(findLimits(money, SESSION)).toEqual([]);
    expect(findLimits(money, { ...SESSION, machine: 'this machine' })).toEqual([]);
    expect(findLimits(null, SESSION)).toEqual([]);
  });

  it('asks for no more than the configuration allows', () => {
    expect(findLimits(makeMoney({ machines: [makeMachine({ budget: 9 })] }), SESSION)).toEqual([]);
  });

  it('runs on as many ranks as the session has', () => {
    const four = { ...SESSION, name: '/notes/a.ipynb (4 ranks)' };
    expect(writeLine(four, 'a.ipynb')).toBe('%%choline --provider runpod --session /notes/a.ipynb --ranks 4');
  });
});
