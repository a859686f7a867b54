import { ICellFacts, ICellJob, needsFilling, ranCode } from '../staleness';
import { makeJob } from './samples';

const CELL: ICellFacts = { source: '%%choline --gpu a100\ntrain()\n', mark: null, isLive: false };
const DONE = { ...makeJob({ state: 'done' }), code: 'train()' } as ICellJob;

describe('needsFilling', () => {
  it('is so for output that nobody has seen', () => {
    expect(needsFilling(CELL, DONE)).toBe(true);
    expect(needsFilling({ ...CELL, mark: { job: 'j-one', isComplete: false } }, DONE)).toBe(true);
    expect(needsFilling({ ...CELL, mark: { job: 'j-older', isComplete: true } }, DONE)).toBe(true);
  });

  it('is not so for what was complete once: the user may have cleared it', () => {
    expect(needsFilling({ ...CELL, mark: { job: 'j-one', isComplete: true } }, DONE)).toBe(false);
  });

  it('is so when a complete job was attempted again', () => {
    const again = { ...DONE, state: 'running' } as ICellJob;
    expect(needsFilling({ ...CELL, mark: { job: 'j-one', isComplete: true } }, again)).toBe(true);
  });

  it('leaves a cell alone that this page runs, and one that has been rewritten', () => {
    expect(needsFilling({ ...CELL, isLive: true }, DONE)).toBe(false);
    expect(needsFilling({ ...CELL, source: '%%choline\ntrain(2)' }, DONE)).toBe(false);
    expect(needsFilling({ ...CELL, source: 'train()' }, DONE)).toBe(false);
  });

  it('leaves what is kept no more as it is', () => {
    expect(needsFilling(CELL, { ...DONE, evicted: true })).toBe(false);
  });
});

describe('ranCode', () => {
  it('looks behind the magic only', () => {
    expect(ranCode('%%choline\nx', 'x')).toBe(true);
    expect(ranCode('%%choline', '')).toBe(true);
    expect(ranCode('%%cholinesterase\nx', 'x')).toBe(false);
  });

  it('compares the beginning of code that was too long to keep', () => {
    const code = 'x = 1\n'.repeat(20_000);
    expect(ranCode('%%choline\n' + code, code.slice(0, 65_536))).toBe(true);
    expect(ranCode('%%choline\ny' + code, code.slice(0, 65_536))).toBe(false);
  });
});
