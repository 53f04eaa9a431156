import * as assert from 'uvu/assert';
import { LiveLines } from '../../src/cli/live-lines.js';
import { suite } from '../suite.js';
import { fakeStream } from './fake-stream.js';

const test = suite('cli/live-lines');

test('a picture is drawn over itself', () => {
  const { stream, text } = fakeStream(true);
  const screen = new LiveLines(stream);
  screen.draw(['one', 'two']);
  screen.draw(['three']);
  screen.draw(['four']);
  assert.is(text(), 'one\ntwo\n\x1b[2A\x1b[Jthree\n\x1b[1A\x1b[Jfour\n');
});

test('a line that stays stands above the next picture', () => {
  const { stream, text } = fakeStream(true);
  const screen = new LiveLines(stream);
  screen.draw(['picture']);
  screen.say('a port has vanished');
  screen.say('another too');
  screen.draw(['picture']);
  assert.is(text(), 'picture\n\x1b[1A\x1b[Ja port has vanished\nanother too\npicture\n');
});

test('lines are cut to the width of the terminal, styles take no room, and rows to its height', () => {
  const { stream, text } = fakeStream(true);
  Object.assign(stream, { columns: 6, rows: 3 });
  new LiveLines(stream).draw(['1234567890', '\x1b[1m123\x1b[22m4567', 'no room']);
  assert.is(text(), '12345\n\x1b[1m123\x1b[22m45\n');
});

test('after the end a line leaves the picture standing', () => {
  const { stream, text } = fakeStream(true);
  const screen = new LiveLines(stream);
  screen.draw(['picture']);
  screen.end();
  screen.say('over');
  assert.is(text(), 'picture\nover\n');
});

test.run();
