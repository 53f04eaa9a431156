import { statSync } from 'node:fs';
import * as assert from 'uvu/assert';
import {
  hostFilesOf,
  type Resolution,
  type ResolveHow,
  readWords,
  resolveDoubt,
} from '../../src/host/index.js';
import { suite } from '../suite.js';
import { GUEST, inRun, MIGRATION, type PreparedRun } from './run-stores.js';

const test = suite('host/resolve-doubt');
const NOW = '2026-01-02T03:04:05.000Z';

async function resolve(run: PreparedRun, how: ResolveHow): Promise<Resolution> {
  const hosts = await run.hosts();
  const doubt = (await run.guests()).find((g) => g.host.site === 'a')!;
  const peer = hosts.find((h) => h.site === 'b') ?? null;
  return resolveDoubt(doubt, peer, how, 1000, NOW);
}

const words = (run: PreparedRun): string[] => readWords(hostFilesOf(run.path('a')).words).map((w) => w.word);

test('--ask: NEVER at the peer lets the source go on, on nobody’s word', () =>
  inRun(async (run) => {
    run.store('a', 'COMMIT');
    run.store('b', 'NEVER');
    await run.live('a', 'in-doubt');
    const r = await resolve(run, 'ask');
    assert.is(r.outcome, 'resumed');
    assert.is(r.verdict, 'never');
    assert.equal(run.orders, ['never: the peer never started it']);
    assert.equal(words(run), []);
    assert.equal(await run.kinds('a'), ['COMMIT'], 'the living process writes its own records');
  }));

test('--ask: RUNNING at a living peer frees the source’s copy', () =>
  inRun(async (run) => {
    run.store('a', 'COMMIT');
    run.store('b', 'RUNNING');
    await run.live('a', 'in-doubt');
    await run.live('b', 'running');
    const r = await resolve(run, 'ask');
    assert.is(r.outcome, 'released');
    assert.equal(run.orders, ['running: the peer runs it']);
  }));

test('--ask: a peer that was started anew over its RUNNING took the last copy with it', () =>
  inRun(async (run) => {
    run.store('a', 'COMMIT');
    run.store('b', 'RUNNING');
    await run.live('a', 'in-doubt');
    await run.live('b', 'standing-by');
    const r = await resolve(run, 'ask');
    assert.is(r.outcome, 'in-doubt');
    assert.equal(run.orders, []);
    assert.is((await resolve(run, 'resume-here')).outcome, 'refused', 'its process may be just starting it');
  }));

test('--ask: RUNNING at a dead peer is a lost guest; the source never resumes it alone', () =>
  inRun(async (run) => {
    run.store('a', 'COMMIT');
    run.store('b', 'RUNNING');
    await run.live('a', 'in-doubt');
    const r = await resolve(run, 'ask');
    assert.is(r.outcome, 'in-doubt');
    assert.match(r.lines.join('\n'), 'answers given since are undone');
    assert.equal(run.orders, []);
  }));

test('--ask: a dead peer that had decided nothing has NEVER on record before the source resumes', () =>
  inRun(async (run) => {
    run.store('a', 'COMMIT');
    run.knows('a', run.store('b'));
    await run.live('a', 'in-doubt', async () => {
      assert.equal(await run.kinds('b'), ['NEVER'], 'first the record');
      return { ok: true, text: 'runs here again' };
    });
    const r = await resolve(run, 'ask');
    assert.is(r.outcome, 'resumed');
    assert.equal(await run.kinds('b'), ['NEVER']);
  }));

test('--ask: silence of another store proves nothing', () =>
  inRun(async (run) => {
    run.store('a', 'COMMIT');
    run.store('b');
    await run.live('a', 'in-doubt');
    assert.is((await resolve(run, 'ask')).verdict, 'unknown', 'the store’s name was not noted');
    run.knows('a', 'cd'.repeat(16));
    assert.is((await resolve(run, 'ask')).verdict, 'unknown', 'it is another one');
    assert.equal(await run.kinds('b'), []);
    assert.equal(run.orders, []);
  }));

test('--ask: a living peer that has decided nothing is asked again later', () =>
  inRun(async (run) => {
    run.store('a', 'COMMIT');
    run.knows('a', run.store('b'));
    await run.live('a', 'in-doubt');
    await run.live('b', 'standing-by');
    const r = await resolve(run, 'ask');
    assert.equal([r.outcome, r.verdict], ['in-doubt', 'undecided']);
    assert.equal(await run.kinds('b'), []);
  }));

test('--ask: where the peer left nothing here, the source’s process asks it over the link', () =>
  inRun(async (run) => {
    run.store('a', 'COMMIT');
    await run.live('a', 'in-doubt', async () => ({ ok: false, text: 'still in doubt: no answer came' }));
    const r = await resolve(run, 'ask');
    assert.is(r.outcome, 'in-doubt');
    assert.equal(run.orders, ['ask: an operator asks']);
    assert.match(r.lines.at(-1)!, 'no answer came');
  }));

test('a source whose process is gone reports memory lost, and NEVER closes its record', () =>
  inRun(async (run) => {
    run.store('a', 'COMMIT');
    run.store('b', 'NEVER');
    const r = await resolve(run, 'ask');
    assert.is(r.outcome, 'memory-lost');
    assert.match(r.lines.join('\n'), 'memory lost');
    assert.equal(await run.kinds('a'), ['COMMIT', 'ENDED']);
  }));

test('--resume-here is refused while the peer runs the guest, or may start it: no second copy', () =>
  inRun(async (run) => {
    run.store('a', 'COMMIT');
    run.knows('a', run.store('b'));
    await run.live('a', 'in-doubt');
    await run.live('b', 'standing-by');
    assert.is((await resolve(run, 'resume-here')).outcome, 'refused');
    run.store('b', 'RUNNING');
    assert.is((await resolve(run, 'resume-here')).outcome, 'refused');
    assert.equal(run.orders, []);
    assert.equal(words(run), [], 'a word that was not followed is not on record');
  }));

test('--resume-here after the peer’s death: the word is on disk before it takes effect, and says what is undone', () =>
  inRun(async (run) => {
    run.store('a', 'COMMIT');
    run.store('b', 'RUNNING');
    await run.live('a', 'in-doubt', async () => {
      assert.equal(words(run), ['resume-here']);
      return { ok: true, text: 'web runs here again' };
    });
    const r = await resolve(run, 'resume-here');
    assert.is(r.outcome, 'resumed');
    assert.match(r.lines.join('\n'), 'are undone');
    const file = hostFilesOf(run.path('a')).words;
    assert.is(statSync(file).mode & 0o777, 0o600);
    const [word] = readWords(file);
    assert.equal(
      { ...word, peer: '' },
      { at: NOW, uid: 1000, guest: GUEST, epoch: 3, migrationId: MIGRATION, word: 'resume-here', peer: '' },
    );
    assert.match(word!.peer, 'RUNNING on record; its process is gone');
  }));

test('--resume-here without the process: memory lost, nothing changes', () =>
  inRun(async (run) => {
    run.store('a', 'COMMIT');
    run.store('b', 'RUNNING');
    assert.is((await resolve(run, 'resume-here')).outcome, 'memory-lost');
    assert.equal(await run.kinds('a'), ['COMMIT']);
  }));

test('--discard frees the copy, or closes the record of one that is gone', () =>
  inRun(async (run) => {
    run.store('a', 'COMMIT');
    const gone = await resolve(run, 'discard');
    assert.is(gone.outcome, 'closed');
    assert.match(gone.lines.join('\n'), 'gone for good');
    assert.equal(await run.kinds('a'), ['COMMIT', 'ENDED']);
    assert.equal(words(run), ['discard']);
  }).then(() =>
    inRun(async (run) => {
      run.store('a', 'COMMIT');
      run.store('b', 'RUNNING');
      await run.live('a', 'in-doubt');
      await run.live('b', 'running');
      const r = await resolve(run, 'discard');
      assert.is(r.outcome, 'released');
      assert.equal(run.orders, ['running: an operator said --discard']);
    }),
  ));

test('a process that does not settle it leaves it in doubt', () =>
  inRun(async (run) => {
    run.store('a', 'COMMIT');
    run.store('b', 'NEVER');
    await run.live('a', 'in-doubt', async () => ({ ok: false, text: 'the records cannot be written' }));
    const r = await resolve(run, 'ask');
    assert.is(r.outcome, 'in-doubt');
    assert.match(r.lines.join('\n'), 'cannot be written');
  }));

test.run();
