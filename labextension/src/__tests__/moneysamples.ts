import { IMachine, IMoney, IOffer } from '../moneytypes';

export function makeMachine(fields: Partial<IMachine> = {}): IMachine {
  return {
    label: 'choline-1',
    provider: 'runpod',
    session: 's-one',
    gpus: '4x A100 80GB',
    spot: false,
    region: 'EU',
    state: 'ready',
    created: 1000,
    hourly: 3.6,
    spent: 1,
    billed: null,
    budget: 5,
    left: 4000,
    deadline: 30000,
    lease: 1800,
    ...fields
  };
}

export function makeMoney(fields: Partial<IMoney> = {}): IMoney {
  return {
    now: 1000,
    is_used: true,
    notice: '',
    machines: [makeMachine()],
    alerts: [],
    month: { spent: 10, reserved: 4 },
    days: [
      ['2026-11-20', 0],
      ['2026-11-21', 10]
    ],
    rates: { 's-one': [[100, 3.6]] },
    limits: { budget: 5, monthly: 50, auto_approve: 2, path: '~/.config/choline/config.toml', problem: '' },
    ...fields
  };
}

export function makeOffer(fields: Partial<IOffer> = {}): IOffer {
  return {
    provider: 'runpod',
    name: 'one',
    gpus: '1x A100 80GB',
    memory: 80,
    region: 'EU',
    spot: false,
    hour: 1.2,
    live: true,
    total: 1.3,
    parts: [
      ['machine', 1.2],
      ['disk', 0.1]
    ],
    failures: 0,
    options: [
      ['gpu', 'a100-80gb'],
      ['provider', 'runpod']
    ],
    ...fields
  };
}
