import { hostWords, listChoices, rentWords } from '../places';
import { ISession } from '../types';

const session = (fields: Partial<ISession>): ISession => ({
  id: 's-one',
  name: '/home/me/a.ipynb',
  notebook: 'a.ipynb',
  provider: 'ssh',
  machine: 'me@big',
  directory: '/home/me',
  epoch: 1,
  state: 'ready',
  created: 0,
  ...fields
});
const places = { hosts: ['lab'], gpus: ['a100'], providers: [], notice: '' };

describe('listChoices', () => {
  it('has this machine first, then what is open, then hosts', () => {
    const sessions = [session({}), session({ provider: 'local', machine: 'this machine' })];
    expect(listChoices(places, sessions, 'a.ipynb')).toEqual([
      { label: 'this machine', words: ['--provider', 'local'] },
      { label: 'the session a.ipynb on me@big (ssh)', words: ['--host', 'me@big'] },
      { label: 'lab', words: ['--host', 'lab'] }
    ]);
  });

  it("names another notebook's session, whatever it is called", () => {
    const [, choice] = listChoices(places, [session({ name: 'my run', notebook: '' })], 'a.ipynb');
    expect(choice.words).toEqual(['--host', 'me@big', '--session', '"my run"']);
  });
});

describe('what is typed', () => {
  it('becomes words, or nothing while something is missing', () => {
    expect(rentWords(' a100 ', 4, '2.5')).toEqual(['--gpu', '4xa100', '--budget', '2.5']);
    expect(rentWords('a100', 1, '')).toEqual(['--gpu', 'a100']);
    for (const [gpu, count, budget] of [['', 1, '1'], ['a100; rm', 1, '1'], ['a100', 0, '1'], ['a100', 1, '-1']] as const) {
      expect(rentWords(gpu, count, budget)).toBeNull();
    }
    expect(hostWords('me@big:2222')).toEqual(['--host', 'me@big:2222']);
    expect(hostWords('me@big --yes')).toBeNull();
    expect(hostWords('')).toBeNull();
  });
});
