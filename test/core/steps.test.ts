import * as assert from 'uvu/assert';
import { Steps } from '../../src/core/index.js';
import { suite } from '../suite.js';

const test = suite('core/steps');

test('what carrying out an action adds queues behind the actions that stand', () => {
  const machine = { step: (_: number, event: string, out: string[]) => out.push(`${event}1`, `${event}2`) };
  const done: string[] = [];
  const gave: boolean[] = [];
  const steps: Steps<string, string> = new Steps(machine, (action) => {
    done.push(action);
    if (action === 'a1') gave.push(steps.give(0, 'b'));
  });
  gave.push(steps.give(0, 'a'), steps.give(0, 'c'));
  assert.equal(done, ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']);
  assert.equal(gave, [false, true, true]);
});

test.run();
