import { IDisposable } from '@lumino/disposable';
import { formatDuration, formatMoney } from './format';
import { MoneyModel } from './moneymodel';
import { IAlert } from './moneytypes';
import { News } from './news';

const KEY = 'choline:budget-alerts';
/** Milliseconds behind the moment at which a share should be reached. */
const LATE = 300;
const KEPT = 100;

/**
 * Tells once for each session, whichever page is open, that half, four fifths and all of its budget is spent.
 *
 * While nothing is rented it asks for nothing but what news of the ledger make necessary.
 */
export class BudgetAlerts {
  constructor(
    private _money: MoneyModel,
    news: News,
    private _tell: (alert: IAlert) => void,
    private _memory: Pick<Storage, 'getItem' | 'setItem'> = window.localStorage
  ) {
    _money.changed.connect(() => this._look());
    news.arrived.connect((_, one) => {
      if (one.money && !this._watch) {
        void _money.refresh();
      }
    });
  }

  /** What is there now; a page may be opened behind the moment. */
  start(): Promise<void> {
    return this._money.refresh();
  }

  private _look(): void {
    const alerts = this._money.money?.alerts ?? [];
    alerts.filter(alert => this._isNew(alert)).forEach(alert => this._tell(alert));
    this._keepWatching(alerts.some(alert => alert.open));
    window.clearTimeout(this._timer);
    const next = Math.min(...alerts.map(alert => alert.next ?? Infinity));
    if (next < 86_400) {
      this._timer = window.setTimeout(() => void this._money.refresh(), next * 1000 + LATE);
    }
  }

  /** Whether its share was not told by any page of this browser; it is noted as told. */
  private _isNew({ session, reached }: IAlert): boolean {
    const told = this._read();
    if (reached <= (told.get(session) ?? 0)) {
      return false;
    }
    told.delete(session);
    this._memory.setItem(KEY, JSON.stringify([...told, [session, reached]].slice(-KEPT)));
    return true;
  }

  /** What the browser remembers, for all its pages: the highest share of each session that was told. */
  private _read(): Map<string, number> {
    try {
      return new Map(JSON.parse(this._memory.getItem(KEY) ?? '[]'));
    } catch {
      return new Map();
    }
  }

  private _keepWatching(isNeeded: boolean): void {
    if (isNeeded) {
      this._watch ??= this._money.watch(false);
    } else {
      this._watch?.dispose();
      this._watch = null;
    }
  }

  private _watch: IDisposable | null = null;
  private _timer = 0;
}

/** What a notification says. */
export function describeAlert({ what, budget, spent, reached, open, left }: IAlert): string {
  if (reached >= 1) {
    return `The budget of ${formatMoney(budget)} is reached: ${what} ${open ? 'ends itself now' : 'has ended'}.`;
  }
  const time = left === null ? '' : ` At this price the rest lasts ${formatDuration(left)}; then it ends itself.`;
  return `${Math.round(reached * 100)} % of the budget are spent: ${formatMoney(spent)} of ${formatMoney(budget)}. ${what}.${time}`;
}
