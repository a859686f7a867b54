import React from 'react';

const WIDTH = 120;
const HEIGHT = 28;

/** The points of a line through (time, share) pairs, in a box of 120 by 28; shares above 1 stay at the top. */
export function drawCourse(points: [number, number][]): string {
  const begin = points[0]?.[0] ?? 0;
  const span = (points[points.length - 1]?.[0] ?? 0) - begin || 1;
  return points
    .map(([at, share]) => {
      const y = HEIGHT - 1 - Math.min(1, Math.max(0, share)) * (HEIGHT - 2);
      return `${(((at - begin) / span) * WIDTH).toFixed(1)},${y.toFixed(1)}`;
    })
    .join(' ');
}

/** Two courses over the same time: how busy as an area, memory as a line. */
export function Chart(props: { label: string; busy: [number, number][]; memory: [number, number][] }): JSX.Element {
  const busy = drawCourse(props.busy);
  return (
    <svg className="jp-choline-Chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={props.label}>
      {props.busy.length > 1 && (
        <>
          <polygon points={`0,${HEIGHT} ${busy} ${WIDTH},${HEIGHT}`} />
          <polyline className="jp-mod-busy" points={busy} />
          <polyline className="jp-mod-memory" points={drawCourse(props.memory)} />
        </>
      )}
    </svg>
  );
}
