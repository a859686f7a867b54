import { ServerConnection } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import { describeCost, describeGpu, describeMachine } from '../elementformat';
import { isJobId, JobFollower } from '../jobfollower';
import { News } from '../news';
import { readRanks } from '../ranktabs';
import { makeJob } from './samples';

const SCHEMA = 'https://schema.choline.dev/jupyter/changed/v1';
const detail = { job: makeJob(), provider: 'vast', machine: 'choline-1', cost: null, ranks: [], gpus: [] };

function settle(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, 20));
}

function makeFollower(answers: Response[]): { follower: JobFollower; asked: string[]; tell(job: string): void } {
  const asked: string[] = [];
  const stream = new Signal<any, any>({});
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost/',
    fetch: (async (request: Request) => {
      asked.push(`${request.method} ${request.url.split('/choline/api/')[1].replace(/[?&]\d+$/, '')}`);
      return answers.shift() ?? new Response(JSON.stringify(detail));
    }) as any
  });
  const follower = new JobFollower('j-one', settings, new News(stream as any));
  const tell = (job: string): void => void stream.emit({ schema_id: SCHEMA, jobs: [job], sessions: false });
  return { follower, asked, tell };
}

describe('JobFollower', () => {
  it('asks once at first, and for news of its own job only', async () => {
    const { follower, asked, tell } = makeFollower([]);
    await settle();
    expect(follower.detail).toEqual(detail);
    tell('j-two');
    await settle();
    expect(asked).toEqual(['GET jobs/j-one']);
    follower.dispose();
    tell('j-one');
    await settle();
    expect(asked).toHaveLength(1);
  });

  it('says quietly that nobody knows the job', async () => {
    const { follower } = makeFollower([new Response('{"message": "There is no job j-one."}', { status: 404 })]);
    await settle();
    expect([follower.isUnknown, follower.problem, follower.detail]).toEqual([true, '', null]);
    follower.dispose();
  });

  it('says why it cannot know or stop it', async () => {
    const refused = (): Response => new Response('{"message": "locked"}', { status: 503 });
    const { follower, asked } = makeFollower([refused(), refused()]);
    await settle();
    expect([follower.isUnknown, follower.problem]).toEqual([false, 'locked']);
    await follower.stop();
    expect(asked[1]).toBe('POST jobs/j-one/interrupt');
    expect(follower.problem).toBe('locked');
    follower.dispose();
  });

  it('takes for an id only what can be one', () => {
    for (const id of ['../x', 'j one', 'J-ONE', '', null, 7, { toString: () => 'j-one' }, `j-${'1'.repeat(80)}`]) {
      expect(isJobId(id)).toBe(false);
    }
    expect(isJobId('j-0000000-00000000')).toBe(true);
  });
});

describe('what the element says', () => {
  it('tells the cost of the job and of its machine', () => {
    expect(describeCost({ job: 0.004, machine: 0.5, hourly: 1.2, budget: 2 })).toBe(
      '$0.0040, the machine $0.50 of $2.00 so far (estimate)'
    );
    expect(describeCost(null)).toBe('');
    const cost = { job: 0, machine: 0, hourly: 1.2, budget: 2 };
    expect(describeMachine({ ...detail, cost })).toBe('vast, $1.20/h');
    expect(describeMachine({ ...detail, provider: 'ssh', machine: 'me@big' })).toBe('me@big');
    expect(describeMachine({ ...detail, provider: '', machine: '' })).toBe('');
  });

  it('tells of a GPU what is told of it', () => {
    const gpu = { rank: 1, index: 1, memory: 31.2e9, total: 80e9, busy: 0.874, power: 280.4 };
    expect(describeGpu(gpu)).toBe('GPU 1: 31.2 of 80 GB, 87 % busy, 280 W');
    expect(describeGpu({ rank: 2, busy: 0 })).toBe('GPU 2: 0 % busy');
  });

  it('reads ranks in their order and nothing that is no text', () => {
    const ranks = { '10': 'ten', '2': 'two', x: 'no', '3': 7, '4': '' };
    expect(readRanks({ ranks })).toEqual([
      { rank: 2, text: 'two' },
      { rank: 10, text: 'ten' }
    ]);
    for (const data of [null, 'text', {}, { ranks: null }, { ranks: 'ab' }]) {
      expect(readRanks(data).filter(one => !/^\w$/.test(one.text))).toEqual([]);
    }
  });
});
