import React from 'react';
import { IAbout } from './about';

/** The body of the About dialog. */
export function AboutView({ lines, warning }: IAbout): JSX.Element {
  return (
    <div className="jp-choline-About">
      {lines.map(line => (
        <div key={line}>{line}</div>
      ))}
      {warning && (
        <div className="jp-choline-About-warning" role="alert">
          {warning}
        </div>
      )}
    </div>
  );
}
