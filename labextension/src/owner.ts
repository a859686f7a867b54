import { NotebookPanel } from '@jupyterlab/notebook';
import { PageConfig } from '@jupyterlab/coreutils';
import { DisposableDelegate, IDisposable } from '@lumino/disposable';

const EXECUTOR = '@jupyterlab/notebook-extension:cell-executor';

/** Who else writes this notebook's outputs, as the end of a sentence; empty when nobody does. */
export function findOwner(panel: NotebookPanel): string {
  if (panel.context.model.collaborative) {
    return 'real-time collaboration keeps it';
  }
  if (PageConfig.Extension.isDisabled(EXECUTOR)) {
    return 'another extension runs its cells on the server';
  }
  return '';
}

/** The right to fill in a notebook: of several pages of one browser that have it open, one has it at a time. */
export interface IHold extends IDisposable {
  /** Whether another page has it now. */
  isTaken: Promise<boolean>;
  /** Resolves when this page has it. */
  granted: Promise<void>;
}

/** Ask for it. Where the browser has no locks (pages that did not come over https or from this machine) it is granted. */
export function holdNotebook(path: string, locks: LockManager | undefined): IHold {
  const name = `choline:${PageConfig.getBaseUrl()}:${path}`;
  if (!locks) {
    return { ...wrap(() => undefined), isTaken: Promise.resolve(false), granted: Promise.resolve() };
  }
  const isTaken = locks.query().then(all => (all.held ?? []).some(lock => lock.name === name));
  const leaving = new AbortController();
  let release = (): void => undefined;
  const granted = new Promise<void>(resolve => {
    const held = new Promise<void>(done => (release = done));
    locks
      .request(name, { signal: leaving.signal }, () => {
        resolve();
        return held;
      })
      .catch(() => undefined); // this page has left while it waited
  });
  return { ...wrap(() => (release(), leaving.abort())), isTaken, granted };
}

function wrap(dispose: () => void): IDisposable {
  const delegate = new DisposableDelegate(dispose);
  return {
    dispose: () => delegate.dispose(),
    get isDisposed() {
      return delegate.isDisposed;
    }
  };
}
