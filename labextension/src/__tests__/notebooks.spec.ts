import { replaceLine, writeLine } from '../notebooks';
import { ISession } from '../types';

const SESSION: ISession = {
  id: 's-one',
  name: '/notes/a.ipynb',
  notebook: 'a.ipynb',
  provider: 'local',
  machine: 'this machine',
  directory: '/notes',
  epoch: 1,
  state: 'ready',
  created: 1
};

describe('writeLine', () => {
  it('is short in the notebook that the session belongs to', () => {
    expect(writeLine(SESSION, 'a.ipynb')).toBe('%%choline');
  });

  it('names machine and session elsewhere', () => {
    const far = { ...SESSION, provider: 'ssh', machine: 'anna@lab', name: 'my run', notebook: '' };
    expect(writeLine(far, 'a.ipynb')).toBe('%%choline --host anna@lab --session "my run"');
    expect(writeLine({ ...SESSION, machine: 'this machine, isolated' }, 'a.ipynb')).toBe('%%choline --isolated');
  });

  it('quotes what a shell would take apart', () => {
    const odd = { ...SESSION, name: 'a "b" \\c', notebook: '' };
    expect(writeLine(odd, 'x')).toBe('%%choline --session "a \\"b\\" \\\\c"');
  });
});

describe('replaceLine', () => {
  it('puts the line on top, or in the place of the one that is there', () => {
    expect(replaceLine('x = 1', '%%choline')).toBe('%%choline\nx = 1');
    expect(replaceLine('%%choline --gpu a100\nx = 1', '%%choline')).toBe('%%choline\nx = 1');
    expect(replaceLine('%%choline', '%%choline -x')).toBe('%%choline -x\n');
    expect(replaceLine('', '%%choline')).toBe('%%choline\n');
  });
});
