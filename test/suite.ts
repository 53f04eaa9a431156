/**
 * uvu with its traps closed: skips carry a reason, and every file reports itself in a form that the
 * runner checks. Each test file ends with `suite.run()`.
 */
import { suite as uvuSuite } from 'uvu';
import { isLonghaulError } from '../src/core/index.js';

type Body = () => void | Promise<void>;

export interface Suite {
  (name: string, body: Body): void;
  /** Registers a test that is counted as skipped, with the reason printed. */
  skip(name: string, reason: string): void;
  /** Runs the test when `lack` is null, else skips it with `lack` as the reason. */
  when(lack: string | null, name: string, body: Body): void;
  run(): void;
}

/** uvu reads `details` of an error as text and dies silently of ours, which are an object: hands on the one line. */
async function reportable(body: Body): Promise<void> {
  try {
    await body();
  } catch (e) {
    throw isLonghaulError(e) ? new Error(e.line(), { cause: e }) : e;
  }
}

export function suite(title: string): Suite {
  const inner = uvuSuite(title);
  const add = ((name: string, body: Body) => {
    inner(name, () => reportable(body));
  }) as Suite;
  add.skip = (name, reason) => {
    process.stdout.write(`  skip ${title} › ${name}: ${reason}\n`);
    inner.skip(name, () => {});
  };
  add.when = (lack, name, body) => (lack === null ? add(name, body) : add.skip(name, lack));
  add.run = () => {
    process.on('exit', () => {
      // A throw outside a test, or a forgotten run(), must not look like success: the runner insists on this mark.
      process.stdout.write(`\nlonghaul-suite-ran ${title}\n`);
    });
    inner.run();
  };
  return add;
}
