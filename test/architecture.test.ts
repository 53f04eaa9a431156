/**
 * The floors of the house (docs/design.md): a floor imports only floors below it, siblings never
 * import each other, pure floors touch no socket, clock or global, and native calls live in `sys/`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { suite } from './suite.js';

const test = suite('architecture');
const SRC = fileURLToPath(new URL('../../src/', import.meta.url));

/** What each place may import, besides itself. The longest matching prefix names a file's place. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  sys: ['core'],
  l2: ['core'],
  'l2/ports': ['core', 'sys', 'l2'],
  fiber: ['core'],
  guest: ['core'],
  'guest/memory': ['core', 'sys', 'guest'],
  'guest/linux': ['core'],
  'guest/pc': ['core', 'sys', 'guest', 'guest/memory'],
  'vmotion-protocol': ['core'],
  'vmotion-protocol/transport': ['core', 'sys', 'vmotion-protocol'],
  capture: ['core'],
  'capture/files': ['core', 'sys', 'capture'],
  fabric: ['core', 'sys', 'l2', 'l2/ports', 'fiber', 'capture', 'capture/files'],
  replay: ['core', 'sys', 'l2', 'l2/ports', 'fiber', 'capture', 'capture/files', 'fabric'],
  dissect: [
    'core',
    'l2',
    'vmotion-protocol',
    'vmotion-protocol/transport',
    'capture',
    'capture/files',
    'replay',
  ],
  'sim/check': ['core', 'vmotion-protocol'],
  sim: [
    'core',
    'l2',
    'fiber',
    'guest',
    'vmotion-protocol',
    'fabric/arrivals.ts',
    'fabric/segment-machines.ts',
  ],
  host: [
    'core',
    'sys',
    'l2',
    'l2/ports',
    'guest',
    'guest/memory',
    'guest/pc',
    'vmotion-protocol',
    'vmotion-protocol/transport',
  ],
  qemu: ['core', 'sys'],
  report: ['core', 'lab/result.ts'],
  results: ['core', 'lab/result.ts', 'report'],
  sweep: ['core', 'lab', 'report', 'results'],
  tune: ['core', 'lab', 'fiber', 'report', 'results', 'sweep'],
  lab: [
    'core',
    'sys',
    'l2',
    'l2/ports',
    'fiber',
    'guest',
    'guest/memory',
    'guest/pc',
    'guest/linux',
    'vmotion-protocol',
    'vmotion-protocol/transport',
    'capture',
    'capture/files',
    'fabric',
    'replay',
    'dissect',
    'host',
    'qemu',
    'sim',
  ],
  cli: [
    'core',
    'sys',
    'l2',
    'fiber',
    'guest',
    'guest/linux',
    'vmotion-protocol',
    'capture',
    'capture/files',
    'fabric',
    'replay',
    'dissect',
    'host',
    'sim',
    'lab',
    'report',
    'results',
    'sweep',
    'tune',
  ],
  'index.ts': ['core', 'l2', 'fiber', 'guest', 'vmotion-protocol', 'fabric', 'lab', 'report'],
};

/** Floors that must be readable without meeting a socket, a clock or a global. */
const PURE = ['core', 'l2', 'fiber', 'guest', 'vmotion-protocol', 'capture', 'sim/check', 'sim'];
/** Single files that are entered directly: a shape that reports read, and what both drivers of the machines share. */
const ENTERED = ['lab/result.ts', 'fabric/arrivals.ts', 'fabric/segment-machines.ts'];
const IMPURE = [
  [
    /\bDate\.now\b|\bperformance\.now\b|\bprocess\.hrtime\b|\bsetTimeout\b|\bsetInterval\b|\bsetImmediate\b/,
    'a clock or timer',
  ],
  [/\bMath\.random\b/, 'unseeded randomness'],
  [/from 'node:(net|dgram|fs|child_process|worker_threads|tls|http|os)'/, 'input or output'],
  [/\bprocess\.(env|argv|exit|on)\b/, 'a process global'],
] as const;

function sources(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((e) =>
    e.isDirectory() ? sources(join(dir, e.name)) : e.name.endsWith('.ts') ? [join(dir, e.name)] : [],
  );
}

function placeOf(path: string): string {
  const places = Object.keys(MAY_IMPORT).filter((p) => path === p || path.startsWith(`${p}/`));
  return places.sort((a, b) => b.length - a.length)[0] ?? '';
}

const files = sources(SRC).map((f) => ({ path: relative(SRC, f), text: readFileSync(f, 'utf8') }));

test('every source file has a place', () => {
  assert.ok(files.length > 10, 'sources were found');
  for (const f of files) assert.ok(placeOf(f.path) !== '', `${f.path} stands on no floor of docs/design.md`);
});

test('imports go down the floors only', () => {
  const wrong: string[] = [];
  for (const f of files) {
    const from = placeOf(f.path);
    for (const m of f.text.matchAll(/(?:from|import|new URL\()\s*\(?'(\.[^']+)'/g)) {
      const target = normalize(join(dirname(f.path), m[1]!)).replace(/\.js$/, '.ts');
      const to = placeOf(target);
      if (to === from || to === '') continue;
      const allowed = MAY_IMPORT[from]!.some((a) => a === to || a === target);
      if (!allowed) wrong.push(`${f.path} (${from}) imports ${target} (${to})`);
    }
  }
  assert.equal(wrong, []);
});

test('another folder is entered by its face, index.ts, unless it has none', () => {
  const paths = new Set(files.map((f) => f.path));
  const wrong: string[] = [];
  for (const f of files) {
    for (const m of f.text.matchAll(/from\s*'(\.[^']+)'/g)) {
      const target = normalize(join(dirname(f.path), m[1]!)).replace(/\.js$/, '.ts');
      const folder = placeOf(target);
      if (folder === placeOf(f.path) || !paths.has(`${folder}/index.ts`)) continue;
      if (target !== `${folder}/index.ts` && !ENTERED.includes(target)) wrong.push(`${f.path} → ${target}`);
    }
  }
  assert.equal(wrong, []);
});

test('no file imports itself by way of others, but for a type', () => {
  const importsOf = new Map(
    files.map((f) => [
      f.path,
      [...f.text.matchAll(/^(?:import|export) (?!type\b)[^;]*?from '(\.[^']+)'/gm)].map((m) =>
        normalize(join(dirname(f.path), m[1]!)).replace(/\.js$/, '.ts'),
      ),
    ]),
  );
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) circles.push([...trail.slice(at), path].join(' → '));
    if (at >= 0 || done.has(path)) return;
    for (const target of importsOf.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of importsOf.keys()) visit(path, []);
  assert.equal(circles, []);
});

test('pure floors meet no socket, clock or global', () => {
  const wrong: string[] = [];
  for (const f of files) {
    if (!PURE.includes(placeOf(f.path))) continue;
    const code = f.text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    for (const [pattern, what] of IMPURE) if (pattern.test(code)) wrong.push(`${f.path}: ${what}`);
  }
  assert.equal(wrong, []);
});

test('only sys/ loads koffi', () => {
  const wrong = files
    .filter((f) => f.text.includes("from 'koffi'") && placeOf(f.path) !== 'sys')
    .map((f) => f.path);
  assert.equal(wrong, []);
});

test.run();
