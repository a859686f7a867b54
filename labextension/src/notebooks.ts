import { JupyterFrontEnd } from '@jupyterlab/application';
import { Notebook, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { IJob, ISession } from './types';

export const LOAD = '%load_ext choline_jupyter';

/** What the first notebook holds: it needs nothing but Python, and shows a loss in the panel. */
export const EXAMPLE = [
  LOAD,
  `%%choline
# This cell runs in a kernel of its own. On another machine: %%choline --host user@name
import time

x, rate, steps = 5.0, 0.1, 40
for step in range(1, steps + 1):
    loss = (x - 2.0) ** 2
    x -= rate * 2 * (x - 2.0)
    print(f"step {step}/{steps} loss {loss:.4f}", flush=True)
    time.sleep(0.25)
print("found", round(x, 3))`,
  `%%choline
x  # names live on in that kernel`
];

/** A session with several ranks has their number in its name, behind that which its user knows. */
const RANKS = /^(.*) \((\d+) ranks\)$/s;

/** The `%%choline` line for a cell of `notebook` (its path in the file browser) that is to run in a session. */
export function writeLine(session: ISession, notebook: string, limits: [name: string, value: string][] = []): string {
  const words = ['%%choline'];
  const [, name, ranks] = RANKS.exec(session.name) ?? ['', session.name, ''];
  if (session.provider === 'ssh') {
    words.push('--host', quote(session.machine));
  } else if (session.machine.endsWith('isolated')) {
    words.push('--isolated');
  } else if (session.provider !== 'local') {
    words.push('--provider', quote(session.provider));
  }
  if (session.notebook !== notebook || !notebook) {
    words.push('--session', quote(name));
  }
  if (ranks) {
    words.push('--ranks', ranks);
  }
  limits.forEach(([option, value]) => words.push(`--${option}`, value));
  return words.join(' ');
}

/** The source with this `%%choline` line on top, instead of the one that it has, if it has one. */
export function replaceLine(source: string, line: string): string {
  if (!/^%%choline(?![^\s])/.test(source)) {
    return source ? `${line}\n${source}` : `${line}\n`;
  }
  const end = source.indexOf('\n');
  return end < 0 ? `${line}\n` : line + source.slice(end);
}

function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** A new notebook with the example, open and ready to be run. */
export function openExample(app: JupyterFrontEnd): Promise<void> {
  return openNotebook(app, EXAMPLE);
}

/** A new notebook with one cell below that which loads the extension. */
export function openCell(app: JupyterFrontEnd, source: string): Promise<void> {
  return openNotebook(app, [LOAD, source], 1);
}

async function openNotebook(app: JupyterFrontEnd, sources: string[], active = 0): Promise<void> {
  const model = await app.commands.execute('docmanager:new-untitled', { type: 'notebook' });
  const panel: NotebookPanel = await app.commands.execute('docmanager:open', {
    path: model.path,
    factory: 'Notebook',
    kernel: { name: app.serviceManager.kernelspecs.specs?.default ?? 'python3' }
  });
  await panel.context.ready;
  const shared = panel.content.model!.sharedModel;
  shared.transact(() => {
    shared.deleteCellRange(0, shared.cells.length);
    sources.forEach(source => shared.addCell({ cell_type: 'code', source }));
  });
  panel.content.activeCellIndex = active;
  await panel.context.save(); // a page that is closed leaves what to fill in
}

/** Put a cell for this session below the active one, and make sure that the extension is loaded above it. */
export function insertCell(panel: NotebookPanel, session: ISession, limits: [name: string, value: string][] = []): void {
  NotebookActions.insertBelow(panel.content);
  const line = writeLine(session, panel.context.localPath ?? panel.context.path, limits);
  panel.content.activeCell?.model.sharedModel.setSource(`${line}\n`);
  ensureLoaded(panel.content);
}

/** Change the active cell's `%%choline` line, or give it one; where it is no code, a cell below it is made. */
export function aimCell(panel: NotebookPanel, aim: (line: string) => string): void {
  if (panel.content.activeCell?.model.type !== 'code') {
    NotebookActions.insertBelow(panel.content);
  }
  const cell = panel.content.activeCell?.model.sharedModel;
  if (cell) {
    const source = cell.getSource();
    cell.setSource(replaceLine(source, aim(findLine(source))));
  }
  ensureLoaded(panel.content);
}

/** The `%%choline` line of a cell, as short as can be where it has none. */
export function findLine(source: string): string {
  return /^%%choline(?![^\s])[^\n]*/.exec(source)?.[0] ?? '%%choline';
}

/** Load the magic in the notebook's kernel, where it is not there yet, and run the active cell. */
export async function runWithMagic({ content, sessionContext }: NotebookPanel): Promise<void> {
  const code = "get_ipython().extension_manager.load_extension('choline_jupyter')";
  await sessionContext.session?.kernel?.requestExecute({ code, silent: true, store_history: false }).done;
  await NotebookActions.run(content, sessionContext);
}

/** Have a job go on from its newest checkpoint, in a new cell. What may cost money is asked by the cell. */
export async function resumeHere(panel: NotebookPanel, job: string): Promise<void> {
  NotebookActions.insertBelow(panel.content);
  panel.content.activeCell?.model.sharedModel.setSource(`%choline resume ${job}`);
  ensureLoaded(panel.content);
  await runWithMagic(panel);
}

/** Put `%load_ext` on top unless some cell has it. */
export function ensureLoaded(notebook: Notebook): void {
  const shared = notebook.model?.sharedModel;
  if (shared && !shared.cells.some(cell => /^\s*%(load|reload)_ext\s+choline_jupyter/m.test(cell.getSource()))) {
    shared.insertCell(0, { cell_type: 'code', source: LOAD });
  }
}

/** Open a job's notebook and go to its cell. */
export async function showCell(app: JupyterFrontEnd, job: IJob): Promise<void> {
  const panel: NotebookPanel = await app.commands.execute('docmanager:open', { path: job.notebook });
  await panel.context.ready;
  await panel.revealed;
  const index = panel.content.widgets.findIndex(cell => cell.model.id === job.cell);
  if (index >= 0) {
    panel.content.activeCellIndex = index;
    await panel.content.scrollToItem(index, 'smart');
    panel.content.activate();
  }
}
