import { BudgetAlerts, describeAlert } from '../budgetalerts';
import { MoneyModel } from '../moneymodel';
import { IAlert } from '../moneytypes';
import { News } from '../news';
import { makeMoney } from './moneysamples';
import { Server, settle } from './server';

function makeAlert(fields: Partial<IAlert> = {}): IAlert {
  return {
    session: 's-one',
    what: '1x A100 80GB on runpod',
    open: true,
    spent: 1,
    budget: 2,
    reached: 0.5,
    next: 3600,
    left: 7200,
    ...fields
  };
}

class Memory {
  kept = new Map<string, string>();
  getItem = (key: string): string | null => this.kept.get(key) ?? null;
  setItem = (key: string, value: string): void => void this.kept.set(key, value);
}

describe('BudgetAlerts', () => {
  let server: Server;
  let memory: Memory;
  let told: number[];

  const answer = (...alerts: IAlert[]): void => {
    server.answers = { money: makeMoney({ alerts }) };
  };
  const open = async (): Promise<BudgetAlerts> => {
    const news = new News(server.stream as any);
    const alerts = new BudgetAlerts(new MoneyModel(server.settings, news), news, one => told.push(one.reached), memory);
    await alerts.start();
    return alerts;
  };

  beforeEach(() => {
    server = new Server({});
    memory = new Memory();
    told = [];
  });

  it('tells each share once, whatever comes in between', async () => {
    answer(makeAlert({ reached: 0 }));
    await open();
    expect(told).toEqual([]);
    for (const reached of [0.5, 0.5, 0.8, 0.8, 1, 1]) {
      answer(makeAlert({ reached }));
      server.tell([], false, true);
      await settle();
    }
    expect(told).toEqual([0.5, 0.8, 1]);
  });

  it('tells nothing again on another page, and what came meanwhile on the next', async () => {
    answer(makeAlert());
    await open();
    await open();
    expect(told).toEqual([0.5]);
    answer(makeAlert({ reached: 1, open: false, next: null, left: null }), makeAlert({ session: 's-two', reached: 0.8 }));
    await open();
    expect(told).toEqual([0.5, 1, 0.8]);
  });

  it('looks when the next share should be reached, without any news', async () => {
    answer(makeAlert({ reached: 0, next: 0.01 }));
    await open();
    answer(makeAlert({ reached: 0.5 }));
    await new Promise(resolve => setTimeout(resolve, 500));
    expect(told).toEqual([0.5]);
  });

  it('asks once at the start and then nothing while nothing is rented and nothing changes', async () => {
    answer();
    await open();
    server.tell(['j-one'], true);
    await settle();
    expect(server.asked).toEqual(['GET money']);
    server.tell([], false, true);
    await settle();
    expect(server.asked).toHaveLength(2);
  });

  it('bears a memory that is none of its own', async () => {
    memory.setItem('choline:budget-alerts', '{"s-one":');
    answer(makeAlert());
    await open();
    expect(told).toEqual([0.5]);
  });
});

describe('describeAlert', () => {
  it('says what is spent and how long the rest lasts', () => {
    expect(describeAlert(makeAlert())).toBe(
      '50 % of the budget are spent: $1.00 of $2.00. 1x A100 80GB on runpod.' +
        ' At this price the rest lasts 2 h 0 min; then it ends itself.'
    );
    expect(describeAlert(makeAlert({ left: null }))).not.toContain('rest');
  });

  it('says that the end is there', () => {
    expect(describeAlert(makeAlert({ reached: 1 }))).toBe('The budget of $2.00 is reached: 1x A100 80GB on runpod ends itself now.');
    expect(describeAlert(makeAlert({ reached: 1, open: false }))).toContain('has ended.');
  });
});
