/**
 * A page that stands alone: one file, no request to anywhere, legible in the dark and on paper. Its one script lets
 * each plot be saved as an SVG file; without it nothing is missing but that button.
 */
import type { Plot } from './plots/frame.js';
import { PLOT_STYLE } from './plots/style.js';
import { escapeXml } from './plots/svg.js';

const STYLE = `*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI","Noto Sans","DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1000px;margin:0 auto;padding:36px 28px 60px}
h1{font-size:27px;line-height:1.25;margin:0 0 6px}
h2{font-size:20px;margin:52px 0 4px;padding-top:14px;border-top:2px solid var(--grid)}
h3{font-size:15.5px;margin:30px 0 6px}
p{margin:6px 0;max-width:76ch}
.quiet{color:var(--quiet)}
code{font:13px ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
nav{margin:14px 0;padding:10px 16px;background:var(--wash);border-radius:8px}
nav ol{margin:0;padding-left:22px;columns:2;column-gap:32px}
a{color:var(--s0)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(138px,1fr));gap:10px;margin:14px 0}
.tile{background:var(--wash);border-radius:8px;padding:10px 14px}
.tile b{display:block;font-size:20px;line-height:1.3}
.tile span{font-size:12.5px;color:var(--quiet)}
figure{margin:18px 0 26px;padding:14px 14px 10px;border:1px solid var(--grid);border-radius:10px}
figure>header{display:flex;justify-content:space-between;gap:12px;align-items:baseline;margin:0 4px 8px}
figure>header b{font-weight:600}
figcaption{font-size:12.5px;color:var(--quiet);margin:8px 4px 0}
button{font:12px system-ui,sans-serif;color:var(--quiet);background:none;border:1px solid var(--grid);border-radius:6px;padding:2px 8px;cursor:pointer}
button:hover{color:var(--ink);border-color:var(--quiet)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13.5px;margin:8px 0 4px}
th,td{padding:5px 10px;border-bottom:1px solid var(--grid);text-align:left;vertical-align:top}
th{font-weight:600;color:var(--quiet);white-space:nowrap}
.n{text-align:right;white-space:nowrap}
.pass::before{content:"\\2713  ";color:var(--s2)}
.miss::before{content:"\\2013  ";color:var(--s1)}
.fail::before{content:"\\2717  ";color:var(--s4)}
ul.verdicts{list-style:none;padding:0;margin:8px 0;font-size:14px}
.caution{background:var(--pause-wash);border-radius:8px;padding:10px 16px;margin:12px 0;font-size:14px}
footer{margin-top:50px;border-top:1px solid var(--grid);padding-top:10px;font-size:12.5px;color:var(--quiet)}
@media print{main{max-width:none;padding:0}button,nav{display:none}figure,table,.tiles{break-inside:avoid}h2{break-after:avoid}body{font-size:12px}@page{margin:16mm}}
`;

const SCRIPT = `for(const b of document.querySelectorAll('button[data-plot]')){b.hidden=false;b.onclick=()=>{
const s=document.querySelector('#'+b.dataset.plot+' svg').cloneNode(true),t=document.createElementNS(s.namespaceURI,'style');
t.textContent=document.getElementById('plot-style').textContent;s.prepend(t);
const a=document.createElement('a');a.href=URL.createObjectURL(new Blob([s.outerHTML],{type:'image/svg+xml'}));
a.download=b.dataset.plot+'.svg';a.click();setTimeout(()=>URL.revokeObjectURL(a.href),1e3)}}`;

/** @param body markup */
export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';style-src 'unsafe-inline';script-src 'unsafe-inline';img-src data: blob:">
<link rel="icon" href="data:,">
<title>${escapeXml(title)}</title>
<style id="plot-style">${PLOT_STYLE}</style>
<style>${STYLE}</style>
</head>
<body><main>
${body}
</main><script>${SCRIPT}</script></body>
</html>
`;
}

export function figure({ id, title, caption, svg }: Plot): string {
  const save = `<button type="button" data-plot="${id}" hidden>save SVG</button>`;
  return `<figure id="${id}"><header><b>${escapeXml(title)}</b>${save}</header>${svg}<figcaption>${escapeXml(caption)}</figcaption></figure>\n`;
}

/** The plot as a file of its own. */
export function svgFile({ svg }: Plot): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${svg.replace('>', `><style>${PLOT_STYLE}</style>`)}\n`;
}

export interface HtmlColumn {
  readonly title: string;
  /** A number: it stands at the right. */
  readonly numeric?: boolean;
}

/** @param rows plain text */
export function table(columns: readonly HtmlColumn[], rows: readonly (readonly string[])[]): string {
  const cell = (tag: 'th' | 'td', words: string, i: number): string =>
    `<${tag}${columns[i]?.numeric ? ' class="n"' : ''}>${escapeXml(words)}</${tag}>`;
  const head = columns.map((c, i) => cell('th', c.title, i)).join('');
  const body = rows
    .map((row) => `<tr>${row.map((words, i) => cell('td', words, i)).join('')}</tr>`)
    .join('\n');
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>\n`;
}

export function tiles(facts: readonly (readonly [string, string])[]): string {
  return `<div class="tiles">${facts.map(([name, value]) => `<div class="tile"><b>${escapeXml(value)}</b><span>${escapeXml(name)}</span></div>`).join('')}</div>\n`;
}
