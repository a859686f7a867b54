import { News } from '../news';
import { RecordModel } from '../recordmodel';
import { makeJob } from './samples';
import { Server, settle } from './server';

describe('RecordModel', () => {
  let server: Server;
  let model: RecordModel;

  beforeEach(() => {
    server = new Server({ state: { sessions: [], starts: [], jobs: [makeJob()], more: true, notice: '', keeper: 0 } });
    model = new RecordModel(server.settings, new News(server.stream as any));
  });

  it('asks for nothing while nobody watches', async () => {
    server.tell(['j-one'], true);
    await settle();
    expect(server.asked).toEqual([]);
  });

  it('asks for everything when somebody does, and for what has changed then', async () => {
    const watch = model.watch();
    await settle();
    expect(model.jobs.map(job => job.id)).toEqual(['j-one']);
    server.answers['jobs?ids=j-two'] = { jobs: [makeJob({ id: 'j-two', created: 200, losses: [2, 1] })] };
    server.tell(['j-two']);
    await settle();
    expect(model.jobs.map(job => job.id)).toEqual(['j-two', 'j-one']);
    expect(model.findJob('j-two')?.losses).toEqual([2, 1]);
    watch.dispose();
    server.asked = [];
    server.tell(['j-one']);
    await settle();
    expect(server.asked).toEqual([]);
  });

  it('asks once for many news', async () => {
    const watch = model.watch();
    await settle();
    server.answers['jobs?ids=j-one'] = { jobs: [makeJob()] };
    server.asked = [];
    for (let number = 0; number < 100; number++) {
      server.tell(['j-one']);
    }
    await settle();
    expect(server.asked).toEqual(['GET jobs?ids=j-one']);
    watch.dispose();
  });

  it('says what is wrong and keeps what it knew', async () => {
    const watch = model.watch();
    await settle();
    server.tell(['j-one']);
    await settle();
    expect(model.problem).toContain('no jobs?ids=j-one');
    expect(model.jobs).toHaveLength(1);
    server.answers['jobs?ids=j-one'] = { jobs: [makeJob()] };
    await model.fetchJobs(['j-one']);
    expect(model.problem).toBe('');
    watch.dispose();
  });

  it('shows a session that is being started as a start alone, until it is there or came to nothing', async () => {
    const session = { id: 's-one', name: 'a' };
    const start = { id: 's-one', name: 'a', stage: 'opening', problem: '' };
    server.answers['state'] = { ...(server.answers['state'] as object), sessions: [session], starts: [start] };
    await model.refresh();
    expect([model.sessions.length, model.starts.length]).toEqual([0, 1]);
    server.answers['state'] = { ...(server.answers['state'] as object), starts: [] };
    await model.refresh();
    expect([model.sessions.length, model.starts.length]).toEqual([1, 0]);
  });

  it('shows older jobs page by page and keeps them', async () => {
    const watch = model.watch();
    await settle();
    expect(model.hasMore).toBe(true);
    server.answers['history?before=100'] = { jobs: [makeJob({ id: 'j-old', created: 50, state: 'done' })], more: false };
    await model.fetchOlder();
    expect(model.jobs.map(job => job.id)).toEqual(['j-one', 'j-old']);
    expect(model.hasMore).toBe(false);
    await model.refresh();
    expect(model.jobs.map(job => job.id)).toEqual(['j-one', 'j-old']);
    expect(model.hasMore).toBe(false);
    watch.dispose();
  });

  it('says whether a stopped machine is known to be gone', async () => {
    server.answers['sessions/s-one/stop'] = { stopped: 's-one', gone: false };
    await expect(model.stop('s-one')).resolves.toBe(false);
    expect(server.asked[0]).toBe('POST sessions/s-one/stop');
  });

  it('begins a lease anew and looks what that is worth', async () => {
    server.answers['sessions/s-one/lease'] = { extended: 's-one' };
    await model.extend('s-one');
    expect(server.asked).toEqual(['POST sessions/s-one/lease']);
  });

  it('acts by POST only', async () => {
    server.answers['jobs/j-one/interrupt'] = {};
    await model.interrupt('j-one');
    expect(server.asked).toEqual(['POST jobs/j-one/interrupt']);
    await expect(model.interrupt('j-two')).rejects.toThrow('no jobs/j-two/interrupt');
  });

  it("ignores other extensions' events", async () => {
    const watch = model.watch();
    await settle();
    server.asked = [];
    server.stream.emit({ schema_id: 'https://events.jupyter.org/other', jobs: ['j-one'] });
    await settle();
    expect(server.asked).toEqual([]);
    watch.dispose();
  });
});
