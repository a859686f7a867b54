import { LabIcon } from '@jupyterlab/ui-components';

/** A cell with an arrow that leaves it. */
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 16 16">
  <g class="jp-icon3" fill="none" stroke="#616161" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round">
    <path d="M8.5 3H3.5A1.5 1.5 0 0 0 2 4.5v7A1.5 1.5 0 0 0 3.5 13h7a1.5 1.5 0 0 0 1.5-1.5V9"/>
    <path d="M7 9 13.5 2.5M9.8 2.2h4v4"/>
  </g>
</svg>`;

export const cholineIcon = new LabIcon({ name: 'choline:panel', svgstr: SVG });
