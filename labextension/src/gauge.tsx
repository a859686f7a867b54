import React from 'react';
import { findLevel, findShare } from './money';

/** How much of a limit is used, as a bar; what is promised but not spent yet is drawn paler behind it. */
export function Gauge(props: { label: string; value: number; limit: number; promised?: number; text: string }): JSX.Element {
  const share = findShare(props.value, props.limit);
  const promised = findShare(props.value + (props.promised ?? 0), props.limit);
  return (
    <div
      className="jp-choline-Gauge"
      role="meter"
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={props.limit}
      aria-valuenow={Math.min(props.value, props.limit)}
      aria-valuetext={props.text}
      data-level={findLevel(share)}
    >
      <div className="jp-choline-Gauge-promised" style={{ width: `${promised * 100}%` }} />
      <div className="jp-choline-Gauge-value" style={{ width: `${share * 100}%` }} />
    </div>
  );
}
