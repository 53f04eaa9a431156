/**
 * Colours and type of every plot: on the page, in the dark, on paper, and in an SVG file of its own.
 * The series are told apart by people who see no red and green too (Okabe and Ito 2008, tuned for contrast).
 */
const LIGHT = {
  ink: '#1b2430',
  quiet: '#5b6675',
  grid: '#e3e7ec',
  paper: '#ffffff',
  wash: '#f5f7f9',
  pause: '#c2410c',
  'pause-wash': '#fdebdd',
  s0: '#1f6fb4',
  s1: '#d9730d',
  s2: '#16866a',
  s3: '#8a5fb0',
  s4: '#b83260',
  s5: '#6b7785',
  s6: '#a3881b',
  s7: '#3aa0c9',
};
const DARK: typeof LIGHT = {
  ink: '#e6eaef',
  quiet: '#9aa6b4',
  grid: '#2d3641',
  paper: '#14191f',
  wash: '#1b222a',
  pause: '#ff9a62',
  'pause-wash': '#3c2417',
  s0: '#6cb0ee',
  s1: '#f5a04e',
  s2: '#4fc3a1',
  s3: '#bd97e0',
  s4: '#ee7ba3',
  s5: '#98a4b3',
  s6: '#d8bf57',
  s7: '#7fd0f0',
};

const variables = (of: typeof LIGHT): string =>
  Object.entries(of)
    .map(([name, value]) => `--${name}:${value}`)
    .join(';');

/** For a page and for a file of its own: the variables, and how a plot's texts and lines look. */
export const PLOT_STYLE = `:root{color-scheme:light dark;${variables(LIGHT)}}
@media screen and (prefers-color-scheme:dark){:root{${variables(DARK)}}}
svg.plot{display:block;width:100%;height:auto;font:11.5px system-ui,-apple-system,"Segoe UI","Noto Sans","DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums;background:var(--paper)}
svg.plot text{fill:var(--ink);paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}
svg.plot .quiet{fill:var(--quiet)}
svg.plot .title{font-weight:600}
svg.plot .on{fill:var(--paper);stroke:none}
svg.plot .grid{stroke:var(--grid);stroke-width:1}
svg.plot .axis{stroke:var(--quiet);stroke-width:1}
svg.plot .line{fill:none;stroke-width:1.8;stroke-linejoin:round}
svg.plot .limit{stroke:var(--quiet);stroke-width:1.2;stroke-dasharray:4 3}
`;

const SERIES = 8;

/** The colour of the nth series. */
export function series(n: number): string {
  return `var(--s${n % SERIES})`;
}
