import React from 'react';

/** What the panel says while there is nothing to show: how to begin, without an account and without money. */
export function Welcome({ onTry }: { onTry: () => void }): JSX.Element {
  return (
    <section className="jp-choline-Welcome" aria-label="How to begin">
      <p>
        <code>%%choline</code> on top of a cell runs that cell in another kernel, and on another machine if you name one. Here
        you see what runs, and stop it.
      </p>
      <button type="button" className="jp-choline-Button jp-mod-first" onClick={onTry}>
        Try it on this machine
      </button>
      <p className="jp-choline-Hint">It opens a notebook with three cells. It is free: nothing leaves this machine.</p>
      <h3>On a machine of your own</h3>
      <p>
        <code>%%choline --host user@name</code> runs the cell over ssh; files, packages and variables that it needs go
        along. <code>choline doctor --host user@name</code> in a terminal checks the way.
      </p>
      <h3>On a rented GPU</h3>
      <p>
        <code>choline login NAME</code> in a terminal adds a provider: <code>lambda</code>, <code>modal</code>, <code>runpod</code> or{' '}
        <code>vast</code>. <em>Offers</em> below shows what they have, and <code>%%choline --gpu a100 --budget 5</code> rents the one on
        which the run costs least, for at most 5 dollars, once you have said yes.
      </p>
      <h3>More</h3>
      <p>
        <code>%choline</code> in a cell lists all there is.
      </p>
    </section>
  );
}
