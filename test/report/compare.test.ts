import * as assert from 'uvu/assert';
import { cautionsOf, otherUse, processorWords } from '../../src/report/index.js';
import { suite } from '../suite.js';
import { sampleResult } from './sample-result.js';

const test = suite('report/compare');

const IDLE = { spanNs: 10e9, cores: 2, ownNs: 12e9, othersNs: 0, stolenNs: 0 };

test('a machine in other use is a caution, whether its own programs or its hypervisor had the processors', () => {
  const of = (othersNs: number, stolenNs: number) =>
    cautionsOf([{ name: 'r', result: sampleResult(20, { processors: { ...IDLE, othersNs, stolenNs } }) }]);
  assert.equal(of(1e9, 0), []);
  assert.match(of(5e9, 0)[0]!, 'in other use, up to 25 % of its processors, in 1 of 1 runs');
  assert.match(of(0, 5e9)[0]!, '25 %');
});

test('results that do not know are no caution', () => {
  assert.equal(cautionsOf([{ name: 'r', result: sampleResult(20, { processors: null }) }]), []);
});

test('words and shares of a run that measured nothing do not divide by zero', () => {
  const none = { ...IDLE, spanNs: 0 };
  assert.is(otherUse(none), 0);
  assert.is(processorWords(none), 'this run 0.0 of 2, others 0.0, stolen 0.0');
});

test.run();
