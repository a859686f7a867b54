import { findLine, replaceLine } from '../notebooks';
import { aimLine, CHEAPEST_RUN, sortOffers, suggestBudget, turnOrder, writeQuery } from '../offers';
import { describeOffer, describeParts } from '../offersview';
import { makeOffer } from './moneysamples';

describe('sortOffers', () => {
  const offers = [
    makeOffer({ name: 'b', gpus: '10x A100', hour: 2, total: 3 }),
    makeOffer({ name: 'a', gpus: '2x A100', hour: 3, total: 2, provider: 'lambda' }),
    makeOffer({ name: 'c', gpus: '2x A100', hour: 1, total: 2 })
  ];
  const names = (column: any, isDescending = false): string =>
    sortOffers(offers, { column, isDescending })
      .map(offer => offer.name)
      .join('');

  it('sorts numbers, names, and numbers in names', () => {
    expect(names('hour')).toBe('cba');
    expect(names('provider')).toBe('abc');
    expect(names('gpus')).toBe('acb');
  });

  it('leaves what is equal as it was, either way round', () => {
    expect(names('total')).toBe('acb');
    expect(names('total', true)).toBe('bac');
    expect(offers.map(offer => offer.name).join('')).toBe('bac');
  });

  it('is turned round by a second click only', () => {
    expect(turnOrder(CHEAPEST_RUN, 'total')).toEqual({ column: 'total', isDescending: true });
    expect(turnOrder({ column: 'total', isDescending: true }, 'hour')).toEqual({ column: 'hour', isDescending: false });
  });
});

describe('aimLine', () => {
  const wanted: [string, string][] = [
    ['gpu', '4xa100-80gb'],
    ['provider', 'vast'],
    ['spot', '']
  ];
  const aimed = '%%choline --gpu 4xa100-80gb --provider vast --spot';

  it.each([
    ['%%choline', aimed],
    ['%%choline --gpu 3090', aimed],
    ['%%choline --gpu=3090 --provider lambda --spot', aimed],
    ['%%choline --4x3090', aimed],
    ['%%choline --host "anna@my lab" --accept-host-key SHA256:x', aimed],
    ['%%choline --isolated', aimed],
    ['%%choline --session training', aimed],
    ['%%choline --out model --budget 2', `${aimed} --out model --budget 2`],
    ["%%choline --with 'my data/--gpu x' --gpu a10", `${aimed} --with 'my data/--gpu x'`],
    ['%%choline --max-price 2 --region EU --memory 40GB --lease 10m', `${aimed} --lease 10m`]
  ])('%s', (line, result) => {
    expect(aimLine(line, wanted)).toBe(result);
  });

  it('is undone by another offer', () => {
    expect(aimLine(aimLine('%%choline --out x', wanted), [['gpu', 'a10']])).toBe('%%choline --gpu a10 --out x');
  });
});

describe('suggestBudget', () => {
  it('adds one only where there is none', () => {
    expect(suggestBudget(makeOffer({ total: 1.3 }), '%%choline', null)).toEqual([['budget', '2']]);
    expect(suggestBudget(makeOffer({ total: 0 }), '%%choline', null)).toEqual([['budget', '1']]);
    expect(suggestBudget(makeOffer(), '%%choline --budget 9', null)).toEqual([]);
    expect(suggestBudget(makeOffer(), '%%choline --budget=9', null)).toEqual([]);
    expect(suggestBudget(makeOffer(), '%%choline', 5)).toEqual([]);
  });
});

it('writes a query of what was typed', () => {
  expect(writeQuery({ gpu: ' a100&x ', count: '4', maxPrice: '', spot: true })).toBe('gpu=a100%26x&count=4&spot=1');
  expect(writeQuery({ gpu: '', count: '', maxPrice: '', spot: false })).toBe('');
});

it('finds the line of a cell and puts another in its place', () => {
  expect(findLine('%%choline --gpu a10\nx')).toBe('%%choline --gpu a10');
  expect(findLine('%%cholines\nx')).toBe('%%choline');
  expect(replaceLine('x = 1', '%%choline --gpu a10')).toBe('%%choline --gpu a10\nx = 1');
});

it('says what an offer is and what its total is made of', () => {
  expect(describeOffer(makeOffer({ spot: true }))).toBe('80 GiB · spot, may be taken away · EU');
  expect(describeOffer(makeOffer({ memory: 0, region: '' }))).toBe('');
  expect(describeOffer(makeOffer(), true)).toBe('80 GiB · EU · needs this laptop');
  expect(describeParts(makeOffer({ parts: [['machine', 1], ['credit', -1]], failures: 2 }))).toBe(
    'one\nmachine $1.00 + credit -$1.00\nfailed 2 times lately'
  );
});
