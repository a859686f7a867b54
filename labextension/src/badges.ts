import { Cell } from '@jupyterlab/cells';
import { NotebookPanel } from '@jupyterlab/notebook';
import { findPlaces } from './runline';

/** Milliseconds between two looks while a notebook keeps changing. */
const PAUSE = 300;
const CLASS = 'jp-choline-Badge';

/** Shows at each `%%choline` cell of a notebook where it runs. */
export class Badges {
  constructor(private _panel: NotebookPanel) {
    const { content } = _panel;
    content.modelContentChanged.connect(this._schedule, this);
    content.cellInViewportChanged.connect(this._schedule, this); // a cell out of sight has no place for a badge yet
    _panel.disposed.connect(() => window.clearTimeout(this._timer));
    void _panel.context.ready.then(() => this._draw());
  }

  private _schedule(): void {
    this._timer ||= window.setTimeout(() => this._draw(), PAUSE);
  }

  private _draw(): void {
    this._timer = 0;
    if (this._panel.isDisposed) {
      return;
    }
    const cells = this._panel.content.widgets;
    const places = findPlaces(cells.map(cell => (cell.model.type === 'code' ? readStart(cell) : '')));
    cells.forEach((cell, index) => drawBadge(cell, places[index]));
  }

  private _timer = 0;
}

/** Enough of a cell to hold its line. */
function readStart(cell: Cell): string {
  return cell.model.sharedModel.getSource().slice(0, 4000);
}

function drawBadge(cell: Cell, place: string | null): void {
  const area = cell.inputArea?.node;
  let badge = area?.querySelector<HTMLElement>(`:scope > .${CLASS}`);
  if (place === null || !area) {
    badge?.remove();
    return;
  }
  if (!badge) {
    badge = document.createElement('span');
    badge.className = CLASS;
    area.append(badge);
  }
  if (badge.textContent !== place) {
    badge.textContent = place;
    badge.title = `By the notebook's %%choline lines this cell runs on ${place}`;
  }
}
