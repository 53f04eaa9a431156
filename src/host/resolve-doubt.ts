/**
 * Settles a migration that is in doubt, from outside: rules 1, 3 and 7 of docs/design.md, "Protocol".
 *
 *   --ask          what did the peer decide?  its process and its records answer; nobody's word is taken
 *   --resume-here  an operator says: the guest is to run at its source. Refused while the peer's copy runs or may start
 *   --discard      an operator says: the copy at the source is of no more use
 *
 * An operator's word is on disk before anything follows from it. When the peer's process is gone and nothing is
 * decided in its store, NEVER is recorded there first, so that nothing that comes later can start the guest there.
 */
import { existsSync, realpathSync, rmSync } from 'node:fs';
import { answerAsk, type Verdict } from '../vmotion-protocol/index.js';
import { askControl, type DoubtVerdict } from './control-socket.js';
import { type FoundGuest, type FoundHost, hexOf } from './host-directory.js';
import { hostFilesOf } from './host-files.js';
import { readKeyFile } from './key-file.js';
import { recordWord } from './operator-words.js';
import { RecordStore } from './records.js';

export type ResolveHow = 'ask' | 'resume-here' | 'discard';

export interface Resolution {
  /** What became of the source's copy. */
  readonly outcome: 'resumed' | 'released' | 'closed' | 'in-doubt' | 'refused' | 'memory-lost';
  readonly verdict: Verdict | 'unreachable';
  /** For people: what is known, what was done, what follows. */
  readonly lines: readonly string[];
}

/** What the other host's process and records say. */
interface PeerWord {
  readonly verdict: Verdict | 'unreachable';
  readonly alive: boolean;
  /** Its process has the guest, or has passed it on: one that was started anew over these records stands by. */
  readonly hasGuest: boolean;
  readonly text: string;
}

/**
 * @param doubt a guest that is `in-doubt`, `kept` or `memory-lost` @param peer the other host of the run, null when it left nothing
 * @param uid and nowIso go on record with an operator's word
 */
export async function resolveDoubt(
  doubt: FoundGuest,
  peer: FoundHost | null,
  how: ResolveHow,
  uid: number,
  nowIso: string,
): Promise<Resolution> {
  const word = peerWord(doubt, peer);
  const known = [word.text];
  const here = doubt.host.live !== null;
  const kept = doubt.state === 'kept' ? doubt.host.kept : null;
  const end = (outcome: Resolution['outcome'], ...lines: string[]): Resolution => ({
    outcome,
    verdict: word.verdict,
    lines: [...known, ...lines],
  });

  if (how === 'ask') {
    switch (word.verdict) {
      case 'never':
        if (here) return settle(doubt, 'never', 'the peer never started it', 'resumed', end);
        if (kept !== null) return end('in-doubt', 'the peer never started it', startAgain(doubt));
        closeRecord(doubt);
        return end(
          'memory-lost',
          `memory lost: the process at ${doubt.host.site.toUpperCase()} that held ${doubt.guest} is gone; the guest has to be booted anew`,
        );
      case 'running':
        if (!word.alive)
          return end(
            'in-doubt',
            `the guest started there and died with its host: it is lost. ${here ? '--resume-here runs the copy of the pause; answers given since are undone' : 'no copy is left'}`,
          );
        if (!word.hasGuest)
          return end(
            'in-doubt',
            'the process there does not run it: it starts at this moment, and then ask again, or that process was started anew and the guest is lost. End it before --resume-here',
          );
        if (here) return settle(doubt, 'running', 'the peer runs it', 'released', end);
        if (kept?.incomplete)
          return end('in-doubt', 'the peer may need pages that only the memory kept here holds');
        closeRecord(doubt);
        return end('closed', 'the doubt is closed: the guest runs at the peer');
      case 'undecided':
        return end('in-doubt', 'the decision is under way: ask again');
      default:
        if (here && word.verdict === 'unreachable')
          return settle(doubt, 'ask', 'an operator asks', 'in-doubt', end);
        return end('in-doubt', 'only an operator can say: --resume-here or --discard');
    }
  }

  if (how === 'resume-here') {
    if (word.alive && word.verdict === 'running')
      return end(
        'refused',
        'refused: the peer runs the guest, and a second copy must never run. --discard frees this one',
      );
    if (word.alive && word.verdict === 'undecided')
      return end(
        'refused',
        'refused: the peer may start the guest at any moment. End its process first, or ask again',
      );
    if (kept !== null) return end('in-doubt', startAgain(doubt));
    if (!here)
      return end(
        'memory-lost',
        `memory lost: the process at ${doubt.host.site.toUpperCase()} that held ${doubt.guest} is gone, so nothing can be resumed. --discard closes the record`,
      );
  }

  note(doubt, how, word, uid, nowIso);
  if (how === 'resume-here')
    return settle(doubt, 'never', 'an operator said --resume-here', 'resumed', (outcome, ...lines) =>
      end(outcome, 'answers that the guest gave since the pause, if it ran elsewhere, are undone', ...lines),
    );
  const gone =
    word.verdict === 'running' && word.hasGuest
      ? 'the copy at the source is given up; the guest runs at the peer'
      : 'the copy at the source is given up: unless the guest runs at the peer, it is gone for good';
  if (here)
    return settle(doubt, 'running', 'an operator said --discard', 'released', (outcome, ...lines) =>
      end(outcome, gone, ...lines),
    );
  closeRecord(doubt);
  return end('closed', gone);
}

/** As a host answers ASK; where the peer's process is gone, its records are asked in its place. */
function peerWord(doubt: FoundGuest, peer: FoundHost | null): PeerWord {
  if (peer === null)
    return {
      verdict: 'unreachable',
      alive: false,
      hasGuest: false,
      text: 'the peer left neither a process nor records here',
    };
  const migrationId = doubt.migrationId!;
  const name = `host ${peer.site.toUpperCase()}`;
  const alive = peer.live !== null;
  const hasGuest = alive && peer.live.guest === doubt.guest && peer.live.state !== 'standing-by';
  const process = alive ? `its process ${peer.live.pid} lives` : 'its process is gone';
  const made = readKeyFile(hostFilesOf(doubt.host.recordsPath).keys)?.peerStores[migrationId];
  const decision = decisionOf(peer, migrationId);
  // Without the name of the store that the migration was made with, silence proves nothing.
  const storeId = made ?? (decision === null ? '' : peer.storeId);
  const answer = answerAsk(
    { type: 'ask', migrationId, storeId },
    { storeId: peer.storeId, decision, live: alive },
  );
  switch (answer) {
    case 'record-never':
      appendRecord(peer.recordsPath, doubt, 'NEVER');
      return {
        verdict: 'never',
        alive,
        hasGuest,
        text: `${name} had decided nothing, ${process}: NEVER is on record there now`,
      };
    case 'unknown':
      return {
        verdict: 'unknown',
        alive,
        hasGuest,
        text: `the records of ${name} are not those that the migration was made with`,
      };
    case 'undecided':
      return { verdict: 'undecided', alive, hasGuest, text: `${name} has decided nothing yet; ${process}` };
    default:
      return {
        verdict: answer,
        alive,
        hasGuest,
        text: `${name} has ${answer.toUpperCase()} on record; ${process}`,
      };
  }
}

function decisionOf(host: FoundHost, migrationId: string): 'RUNNING' | 'NEVER' | null {
  for (const { kind, migrationId: id } of host.records)
    if ((kind === 'RUNNING' || kind === 'NEVER') && hexOf(id) === migrationId) return kind;
  return null;
}

/** Tells the source's process; what it says is what happened. */
async function settle(
  doubt: FoundGuest,
  verdict: DoubtVerdict,
  text: string,
  outcome: Resolution['outcome'],
  end: (outcome: Resolution['outcome'], ...lines: string[]) => Resolution,
): Promise<Resolution> {
  const migrationId = doubt.migrationId!;
  const path = hostFilesOf(doubt.host.recordsPath).socket;
  const answer = await askControl(path, { do: 'resolve', migrationId, verdict, text });
  const said = answer?.text ?? `host ${doubt.host.site.toUpperCase()} does not answer any more`;
  return end(answer?.ok === true ? outcome : 'in-doubt', said);
}

function note(
  doubt: FoundGuest,
  word: 'resume-here' | 'discard',
  peer: PeerWord,
  uid: number,
  at: string,
): void {
  const { guest, epoch, migrationId } = doubt;
  const path = hostFilesOf(doubt.host.recordsPath).words;
  recordWord(path, { at, uid, guest, epoch, migrationId: migrationId!, word, peer: peer.text });
}

/** The source's process is gone: its last word is written for it, and what it kept is of no more use. */
function closeRecord(doubt: FoundGuest): void {
  const { recordsPath } = doubt.host;
  appendRecord(recordsPath, doubt, 'ENDED');
  const { memory, kept } = hostFilesOf(recordsPath);
  if (existsSync(memory)) rmSync(realpathSync(memory));
  for (const file of [memory, kept]) rmSync(file, { force: true });
}

/** What an operator can do about a guest whose files are there and whose process is not. */
function startAgain(doubt: FoundGuest): string {
  const { memory } = hostFilesOf(doubt.host.recordsPath);
  return `memory and state are kept (${memory}): the guest runs on when its run starts the host again; --discard frees them`;
}

function appendRecord(
  path: string,
  { guest, epoch, migrationId }: FoundGuest,
  kind: 'NEVER' | 'ENDED',
): void {
  const store = new RecordStore(path);
  try {
    store.append({ kind, epoch, guest, migrationId: Buffer.from(migrationId!, 'hex') });
  } finally {
    store.close();
  }
}
