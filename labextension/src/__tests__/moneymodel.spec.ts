import { MoneyModel } from '../moneymodel';
import { News } from '../news';
import { OffersModel } from '../offersmodel';
import { makeMoney, makeOffer } from './moneysamples';
import { makeJob } from './samples';
import { Server, settle } from './server';

describe('MoneyModel', () => {
  let server: Server;
  let model: MoneyModel;

  beforeEach(() => {
    server = new Server({ money: makeMoney() });
    model = new MoneyModel(server.settings, new News(server.stream as any));
  });

  it('asks for nothing while nobody watches, and once when somebody does', async () => {
    server.tell([], false, true);
    await settle();
    expect(server.asked).toEqual([]);
    const watch = model.watch();
    await settle();
    expect(server.asked).toEqual(['GET money']);
    watch.dispose();
  });

  it('asks again when the ledger has changed, and only then', async () => {
    const watch = model.watch();
    await settle();
    server.asked = [];
    server.tell(['j-one'], true);
    await settle();
    expect(server.asked).toEqual([]);
    for (let number = 0; number < 50; number++) {
      server.tell([], false, true);
    }
    await settle();
    expect(server.asked.length).toBeGreaterThan(0);
    expect(server.asked.length).toBeLessThan(4);
    watch.dispose();
  });

  it('says what is wrong and keeps what it knew', async () => {
    await model.refresh();
    server.answers = {};
    await model.refresh();
    expect(model.problem).toContain('no money');
    expect(model.money?.machines).toHaveLength(1);
    server.answers = { money: makeMoney() };
    await model.refresh();
    expect(model.problem).toBe('');
  });

  it("counts a job's cost by the server's clock", async () => {
    expect(model.findCost(makeJob())).toBeNull();
    await model.refresh();
    expect(model.findCost(makeJob({ started: 200, ended: 1200 }))).toBeCloseTo(1);
    expect(model.findCost(makeJob({ started: 0, ended: 100 }))).toBe(0);
    expect(model.findCost(makeJob({ session: 's-free' }))).toBeNull();
    expect(model.findCost(makeJob({ started: 900 }))).toBeCloseTo(0.1, 1);
  });
});

describe('OffersModel', () => {
  const wish = { gpu: 'a100', count: '', maxPrice: '', spot: false };
  const found = {
    offers: [makeOffer({ name: 'a', total: 1, hour: 2 }), makeOffer({ name: 'b', total: 2, hour: 1 })],
    count: 2,
    providers: [],
    plan: { hours: 1, disk: 20 }
  };

  it('keeps the chosen order for the next search', async () => {
    const server = new Server({ 'offers?gpu=a100': found });
    const model = new OffersModel(server.settings);
    await model.search(wish);
    expect(model.found?.offers.map(offer => offer.name)).toEqual(['a', 'b']);
    model.sortBy('hour');
    expect(model.found?.offers.map(offer => offer.name)).toEqual(['b', 'a']);
    await model.search(wish);
    expect(model.found?.offers.map(offer => offer.name)).toEqual(['b', 'a']);
  });

  it('lets the later of two searches count', async () => {
    const server = new Server({ 'offers?gpu=a100': found, 'offers?gpu=h100': { ...found, count: 7 } });
    const model = new OffersModel(server.settings);
    const first = model.search(wish);
    await model.search({ ...wish, gpu: 'h100' });
    await first;
    expect(model.found?.count).toBe(7);
    expect(model.isAsking).toBe(false);
  });

  it('says why nothing was found and forgets it with the next search', async () => {
    const server = new Server({ 'offers?gpu=a100': found });
    const model = new OffersModel(server.settings);
    await model.search({ ...wish, gpu: 'a1000' });
    expect(model.problem).toContain('no offers?gpu=a1000');
    await model.search(wish);
    expect(model.problem).toBe('');
  });
});
