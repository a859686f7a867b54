import React, { useState } from 'react';

/** A section of the panel that asks for nothing until it is unfolded. */
export function FoldedSection(props: { id: string; title: string; children: React.ReactNode }): JSX.Element {
  const [isUnfolded, unfold] = useState(false);
  const id = `jp-choline-${props.id}`;
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>
        <button
          type="button"
          className="jp-choline-Fold"
          aria-expanded={isUnfolded}
          onClick={() => unfold(!isUnfolded)}
        >
          {props.title}
        </button>
      </h2>
      {isUnfolded && props.children}
    </section>
  );
}
