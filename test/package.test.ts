/** A fresh machine is the judge: what `npm ci` needs of the lock file, and what the package promises. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { suite } from './suite.js';

const test = suite('package');
const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');

interface Locked {
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly resolved?: string;
}

test('npm ci refused a lock file that lacked the optional packages of other platforms', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };
  const missing = Object.values(packages).flatMap((p) =>
    Object.keys(p.optionalDependencies ?? {}).filter((dep) => packages[`node_modules/${dep}`] === undefined),
  );
  assert.equal(missing, []);
});

test('the lock file names no host', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };
  assert.equal(
    Object.values(packages).filter((p) => p.resolved !== undefined),
    [],
  );
});

test('CI begins with the test command of the README', () => {
  assert.match(read('README.md'), 'npm ci && npm test');
  const first = read('.ci/run')
    .split('\n')
    .find((line) => line.startsWith('(npm'));
  assert.match(first ?? '', '(npm ci && npm test)');
});

test.run();
