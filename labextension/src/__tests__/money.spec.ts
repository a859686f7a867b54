import { findLevel, findMonth, findShare, findSpent, describeMachineState, sumHourly, sumRates } from '../money';
import { Rate } from '../moneytypes';
import { makeMachine, makeMoney } from './moneysamples';

describe('sumRates', () => {
  const rates: Rate[] = [
    [100, 3600],
    [200, 7200],
    [300, 0]
  ];

  it.each([
    [100, 200, 100],
    [0, 1000, 300],
    [150, 250, 150],
    [300, 900, 0],
    [0, 100, 0],
    [250, 150, 0]
  ])('counts from %d to %d as %d', (from, to, amount) => {
    expect(sumRates(rates, from, to)).toBeCloseTo(amount);
  });

  it('goes on at the last rate', () => {
    expect(sumRates([[0, 3600]], 10, 1e9)).toBeCloseTo(1e9 - 10);
    expect(sumRates([], 0, 10)).toBe(0);
  });
});

describe('findSpent', () => {
  it('goes on between two answers', () => {
    expect(findSpent(makeMachine(), 1000, 1000)).toBe(1);
    expect(findSpent(makeMachine(), 1000, 2000)).toBeCloseTo(2);
  });

  it('never goes back when the clock does', () => {
    expect(findSpent(makeMachine(), 1000, 10)).toBe(1);
  });

  it('does not stand still at what was billed', () => {
    expect(findSpent(makeMachine({ billed: 0.25 }), 1000, 2000)).toBeCloseTo(2);
  });
});

describe('shares', () => {
  it.each([
    [0, 5, 0, 'fine'],
    [4, 5, 0.8, 'high'],
    [5, 5, 1, 'spent'],
    [7, 5, 1, 'spent'],
    [7, null, 0, 'fine'],
    [7, 0, 0, 'fine']
  ])('%d of %p is %d: %s', (amount, limit, share, level) => {
    expect(findShare(amount, limit)).toBeCloseTo(share);
    expect(findLevel(findShare(amount, limit))).toBe(level);
  });

  it('are of what the month has come to by now', () => {
    expect(findMonth(makeMoney(), 1000)).toBe(10);
    expect(findMonth(makeMoney(), 2000)).toBeCloseTo(11);
    expect(sumHourly([makeMachine(), makeMachine({ hourly: 0.4 })])).toBeCloseTo(4);
  });
});

it('says what becomes of a machine, and nothing while it is there', () => {
  expect(describeMachineState(makeMachine())).toBe('');
  expect(describeMachineState(makeMachine({ state: 'booting' }))).toBe('is starting');
  expect(describeMachineState(makeMachine({ state: 'a new word' }))).toBe('');
});
