import { drawCourse } from '../chart';
import { describeRank, findDrawn, findMemoryCourse } from '../rankview';
import { findLease } from '../sessionview';
import { IRank } from '../types';
import { makeJob } from './samples';

function makeRank(fields: Partial<IRank> = {}): IRank {
  return { rank: 0, seconds: 10, process: { cpu: 1.03, memory: 2e9 }, gpu: null, peak: 4e9, points: [], ...fields };
}

describe('describeRank', () => {
  it('says processor and memory where there is no GPU', () => {
    expect(describeRank(makeRank())).toEqual(['processor 103 %', '2.0 GB, at most 4.0 GB']);
  });

  it('says of a GPU what is told and nothing else', () => {
    const gpu = { index: 0, busy: 0.874, memory: 31.2e9, total: 80e9, power: 349.6 };
    expect(describeRank(makeRank({ gpu }))).toEqual(['busy 87 %', '31 of 80 GB', '350 W']);
    expect(describeRank(makeRank({ gpu: { memory: 5e8 } }))).toEqual(['500 MB']);
    expect(describeRank(makeRank({ gpu: {} }))).toEqual([]);
  });
});

describe('courses', () => {
  it('fill their box, whatever the times are', () => {
    expect(drawCourse([[100, 0], [200, 1], [300, 0.5]])).toBe('0.0,27.0 60.0,1.0 120.0,14.0');
    expect(drawCourse([[5, 9]])).toBe('0.0,1.0');
    expect(drawCourse([])).toBe('');
  });

  it('show memory as a share of what there is', () => {
    const points: IRank['points'] = [[0, 0.5, 1e9], [10, 0.5, 2e9]];
    expect(findMemoryCourse(makeRank({ points, gpu: { total: 4e9 } }))).toEqual([[0, 0.25], [10, 0.5]]);
    expect(findMemoryCourse(makeRank({ points, peak: 2e9 }))).toEqual([[0, 0.5], [10, 1]]);
  });
});

describe('findDrawn', () => {
  const ranks = [makeRank()];

  it('draws what runs, else the last that was seen', () => {
    const open = makeJob({ id: 'j-open', ranks });
    const ended = makeJob({ id: 'j-ended', state: 'done', ranks });
    expect(findDrawn([makeJob(), ended, open]).map(job => job.id)).toEqual(['j-open']);
    expect(findDrawn([makeJob(), ended, { ...ended, id: 'j-older' }]).map(job => job.id)).toEqual(['j-ended']);
    expect(findDrawn([makeJob({ ranks: [] })])).toEqual([]);
  });
});

describe('findLease', () => {
  const idle = { id: 's', life: 'idle' as const, lease: 1800, quiet: 300, at: 100 };

  it('runs on between two looks', () => {
    expect(findLease(idle, 100)).toBe(1500);
    expect(findLease(idle, 400)).toBe(1200);
    expect(findLease(idle, 9000)).toBe(0);
  });

  it("is the machine's where that would end first, and none while something runs", () => {
    expect(findLease({ ...idle, left: 60 }, 110)).toBe(50);
    expect(findLease({ ...idle, left: null, lease: 0 }, 110)).toBeNull();
    expect(findLease({ ...idle, life: 'running' }, 110)).toBeNull();
    expect(findLease(undefined, 110)).toBeNull();
  });
});
