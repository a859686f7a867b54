import React, { useState } from 'react';

const KEY = 'choline:folded';

function readFolded(): { [id: string]: boolean } {
  try {
    const kept = JSON.parse(window.localStorage.getItem(KEY) ?? '{}');
    return typeof kept === 'object' && kept !== null ? kept : {};
  } catch {
    return {}; // a browser that keeps nothing
  }
}

function keepFolded(id: string, isFolded: boolean): void {
  try {
    window.localStorage.setItem(KEY, JSON.stringify({ ...readFolded(), [id]: isFolded }));
  } catch {
    // it is folded as long as the page lives
  }
}

/**
 * A part of the panel that can be folded, which the browser remembers. Beside its title stands in few words what is in it.
 * What is folded is not drawn.
 */
export function Section(props: {
  id: string;
  title: string;
  summary?: React.ReactNode;
  isFoldedFirst?: boolean;
  children: React.ReactNode;
}): JSX.Element {
  const [isFolded, fold] = useState(() => readFolded()[props.id] ?? props.isFoldedFirst ?? false);
  const id = `jp-choline-${props.id}`;
  const toggle = (): void => {
    keepFolded(props.id, !isFolded);
    fold(!isFolded);
  };
  return (
    <section className="jp-choline-Section" aria-labelledby={id}>
      <h2>
        <button type="button" id={id} aria-expanded={!isFolded} onClick={toggle}>
          <span className="jp-choline-Caret" aria-hidden="true" />
          {props.title}
        </button>
        {props.summary && <span className="jp-choline-Summary">{props.summary}</span>}
      </h2>
      {!isFolded && <div className="jp-choline-Content">{props.children}</div>}
    </section>
  );
}
