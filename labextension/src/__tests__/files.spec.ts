import { describeCheckpoint } from '../checkpointsview';
import { readAnswer, writeQuestion } from '../filesmodel';
import { formatSize, summariseFiles } from '../filesview';

describe("the kernel's report of a cell's files", () => {
  it('is asked with the source as a string of Python', () => {
    expect(writeQuestion('%%choline\nopen("a\\b")')).toMatch(/\.report_files\("%%choline\\nopen\(\\"a\\\\b\\"\)"\)$/);
  });

  it('is read from the answer, or why there is none', () => {
    const report = { machine: 'me@big', shares: false, count: 0, size: 0, files: [] };
    expect(readAnswer({ status: 'ok', data: { 'application/json': report, 'text/plain': '' } })).toEqual(report);
    expect(readAnswer({ status: 'error', ename: 'ModuleNotFoundError', evalue: '' }).problem).toContain('no choline');
    expect(readAnswer({ status: 'error', ename: 'E', evalue: 'broken' }).problem).toContain('broken');
    expect(readAnswer(undefined).problem).toContain('cannot tell');
  });

  it('is summed up', () => {
    expect(summariseFiles({ machine: 'this machine', shares: true })).toContain('nothing is copied');
    expect(summariseFiles({ machine: 'me@big', count: 1, size: 1234 })).toContain('1 file, 1.234 kB in all');
    expect(summariseFiles({ problem: 'There is no option --hots.' })).toBe('There is no option --hots.');
  });

  it('has sizes for readers', () => {
    expect([0, 999, 1000, 12_500_000, 3e12].map(formatSize)).toEqual(['0 B', '999 B', '1 kB', '12.5 MB', '3 TB']);
  });
});

it('describes a checkpoint by what is known of it', () => {
  const one: any = { step: 300, epoch: null, loss: 0.41234567 };
  expect(describeCheckpoint(one)).toBe('step 300, loss 0.4123');
  expect(describeCheckpoint({ ...one, step: null, loss: null })).toBe('');
});
