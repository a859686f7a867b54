import React, { useId, useState } from 'react';

/** What one rank has said. */
export interface IRankText {
  rank: number;
  text: string;
}

/** The ranks of `application/vnd.choline.ranks+json`, in order; what is no text is left out. */
export function readRanks(data: unknown): IRankText[] {
  const told = data !== null && typeof data === 'object' ? (data as { ranks?: unknown }).ranks : null;
  return Object.entries(told ?? {})
    .filter(([rank, text]) => /^\d{1,6}$/.test(rank) && typeof text === 'string' && text !== '')
    .map(([rank, text]) => ({ rank: Number(rank), text: text as string }))
    .sort((one, other) => one.rank - other.rank);
}

const STEPS: { [key: string]: number } = { ArrowLeft: -1, ArrowRight: 1 };

/** A tab for each rank with its text. The arrow keys go from one to the next. */
export function RankTabs({ ranks }: { ranks: IRankText[] }): JSX.Element | null {
  const id = useId();
  const [chosen, choose] = useState(ranks[0]?.rank ?? 0);
  const place = Math.max(
    0,
    ranks.findIndex(one => one.rank === chosen)
  );
  const shown = ranks[place];
  if (!shown) {
    return null;
  }
  const move = (event: React.KeyboardEvent<HTMLElement>): void => {
    const next = ranks[place + (STEPS[event.key] ?? 0)];
    if (event.key in STEPS && next) {
      event.preventDefault();
      choose(next.rank);
      event.currentTarget.querySelectorAll<HTMLElement>('[role=tab]')[ranks.indexOf(next)]?.focus();
    }
  };
  return (
    <div className="jp-choline-Ranks">
      <div role="tablist" aria-label="ranks" onKeyDown={move}>
        {ranks.map(({ rank }) => (
          <button
            key={rank}
            type="button"
            role="tab"
            id={`${id}-${rank}`}
            aria-selected={rank === shown.rank}
            aria-controls={`${id}-text`}
            tabIndex={rank === shown.rank ? 0 : -1}
            onClick={() => choose(rank)}
          >
            rank {rank}
          </button>
        ))}
      </div>
      <pre
        className="jp-choline-Tail"
        role="tabpanel"
        id={`${id}-text`}
        aria-labelledby={`${id}-${shown.rank}`}
        tabIndex={0}
      >
        {shown.text}
      </pre>
    </div>
  );
}
