import { IJob } from '../types';

export function makeJob(fields: Partial<IJob> = {}): IJob {
  return {
    id: 'j-one',
    session: 's-one',
    name: '',
    attempt: 1,
    state: 'running',
    code: 'train()',
    notebook: 'a.ipynb',
    cell: 'c1',
    created: 100,
    started: 100,
    ended: null,
    detached: false,
    ename: '',
    evalue: '',
    count: null,
    evicted: false,
    ...fields
  };
}
