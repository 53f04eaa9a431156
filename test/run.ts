/**
 * The test runner: `node dist/test/run.js unit|interop [path part …]`.
 *
 * Runs every `*.test.js` in a process of its own under a wall-clock limit, and fails unless each one
 * ran tests and passed them all (uvu alone exits 0 when `before` throws or `.run()` is forgotten).
 * Its last line is `N passed, N failed, N skipped`.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('.', import.meta.url));
/** Folders whose tests run real processes against the clock: nothing else runs beside them. */
const ALONE = ['cli', 'fabric', 'guest', 'host', 'interop', 'l2/ports', 'lab', 'replay'];
/** Of the others. */
const AT_ONCE = 2;
const LIMIT_MS = { unit: 180_000, interop: 300_000 };

interface FileResult {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly output: string;
  readonly trouble: string | null;
  readonly ms: number;
}

function testFiles(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return testFiles(path);
    return entry.name.endsWith('.test.js') ? [path] : [];
  });
}

function runFile(path: string, limitMs: number): Promise<FileResult> {
  const startedMs = Date.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [path], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // its own group, so that the limit also ends what it started
      env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1' },
    });
    let output = '';
    let timedOut = false;
    child.stdout.on('data', (d) => {
      output += d;
    });
    child.stderr.on('data', (d) => {
      output += d;
    });
    const timer = setTimeout(() => {
      timedOut = true;
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, limitMs);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const sum = (key: string): number =>
        [...output.matchAll(new RegExp(`^\\s*${key}:\\s+(\\d+)`, 'gm'))].reduce(
          (n, m) => n + Number(m[1]),
          0,
        );
      const total = sum('Total');
      const passed = sum('Passed');
      const skipped = sum('Skipped');
      const failed = Math.max(0, total - passed);
      let trouble: string | null = null;
      if (timedOut) trouble = `still running after ${limitMs / 1000} s`;
      else if (!output.includes('longhaul-suite-ran')) trouble = 'never called run()';
      else if (total + skipped === 0) trouble = 'ran no test';
      else if (code !== 0) trouble = `exited with ${code ?? signal}`;
      const file = relative(ROOT, path).split(sep).join('/').replace(/\.js$/, '.ts');
      resolve({
        file,
        passed,
        failed: trouble && failed === 0 ? 1 : failed,
        skipped,
        output,
        trouble,
        ms: Date.now() - startedMs,
      });
    });
  });
}

function runsAlone(path: string): boolean {
  return ALONE.some((folder) => path.startsWith(join(ROOT, folder) + sep));
}

function tell(r: FileResult): void {
  const ok = r.failed === 0 && r.trouble === null;
  for (const line of r.output.matchAll(/^ {2}skip .*$/gm)) process.stdout.write(`${line[0]}\n`);
  process.stdout.write(
    `${ok ? 'ok  ' : 'FAIL'} ${r.file}  ${r.passed} passed${r.skipped ? `, ${r.skipped} skipped` : ''}  ${r.ms} ms\n`,
  );
  if (!ok) process.stdout.write(`${r.trouble ? `     ${r.trouble}\n` : ''}${r.output}\n`);
}

async function main(): Promise<void> {
  const [kind = 'unit', ...parts] = process.argv.slice(2);
  if (kind !== 'unit' && kind !== 'interop') throw new Error(`unknown kind ${kind}: use unit or interop`);
  const interopDir = join(ROOT, 'interop') + sep;
  const files = testFiles(ROOT)
    .filter((f) => f.startsWith(interopDir) === (kind === 'interop'))
    .filter((f) => parts.length === 0 || parts.some((p) => f.includes(p)))
    .sort();
  const results: FileResult[] = [];
  const runNext = async (queue: string[]): Promise<void> => {
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
      const r = await runFile(path, LIMIT_MS[kind]);
      results.push(r);
      tell(r);
    }
  };
  const alone = files.filter(runsAlone);
  const together = files.filter((f) => !runsAlone(f));
  await Promise.all(Array.from({ length: AT_ONCE }, () => runNext(together)));
  await runNext(alone);
  const total = (key: 'passed' | 'failed' | 'skipped'): number => results.reduce((n, r) => n + r[key], 0);
  const ran = total('passed') + total('failed') + total('skipped');
  process.exitCode = ran > 0 && total('failed') === 0 ? 0 : 1;
  process.stdout.write(
    `\n${total('passed')} passed, ${total('failed')} failed, ${total('skipped')} skipped\n`,
  );
}

await main();
