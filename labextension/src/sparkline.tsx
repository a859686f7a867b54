import React from 'react';
import { formatNumber } from './format';

const WIDTH = 100;
const HEIGHT = 24;

/** The points of a line through these values, in a box of 100 by 24. */
export function drawLine(values: number[]): string {
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const step = WIDTH / Math.max(1, values.length - 1);
  return values
    .map((value, index) => {
      const y = HEIGHT - 1 - ((value - low) / span) * (HEIGHT - 2);
      return `${(index * step).toFixed(1)},${y.toFixed(1)}`;
    })
    .join(' ');
}

/** A job's loss as a small curve with its last value. */
export function Sparkline({ values }: { values: number[] }): JSX.Element | null {
  if (values.length < 2) {
    return null;
  }
  const last = formatNumber(values[values.length - 1]);
  return (
    <div className="jp-choline-Loss">
      <span>loss</span>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`loss from ${formatNumber(values[0])} to ${last}`}
      >
        <polyline points={drawLine(values)} />
      </svg>
      <span className="jp-choline-Number">{last}</span>
    </div>
  );
}
