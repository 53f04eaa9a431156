/**
 * Scripts for the machines: `at(t).give(event).expect(actions)`. An expectation lists *all* actions of the step,
 * reports aside, so each one also says "and nothing more".
 */
import * as assert from 'uvu/assert';
import type { Machine } from '../../src/core/index.js';
import type { DestinationAction, Message, SourceAction } from '../../src/vmotion-protocol/index.js';

type Action = SourceAction | DestinationAction;

/** One word or three for an action: `send ping`, `record COMMIT`, `finished aborted VMOTION_CANCELLED`. */
export function summary(a: Action): string {
  switch (a.type) {
    case 'send':
      return `send ${summaryOf(a.message)}`;
    case 'send-pages':
      return `send-pages ${a.round}${a.final ? ' final' : ''} (${a.pages.count()})`;
    case 'serve-pages':
      return `serve-pages ${a.round} (${a.pages.count()})`;
    case 'slow-guest':
      return `slow-guest ${a.share}`;
    case 'record':
      return `record ${a.record}`;
    case 'deliver-late-frames':
      return `deliver-late-frames (${a.frames.length})`;
    case 'inject-frame':
      return `inject-frame ${a.bytes[6]}`;
    case 'finished':
      return `finished ${a.outcome} ${a.code}`;
    default:
      return a.type;
  }
}

function summaryOf(m: Message): string {
  if ('code' in m) return `${m.type} ${m.code}`;
  if (m.type === 'frame') return `frame ${m.bytes[6]}`;
  if (m.type === 'answer') return `answer ${m.verdict}`;
  return m.type;
}

export class Script<E, A extends Action> {
  readonly machine: Machine<E, A>;
  #nowNs = 0;
  #out: A[] = [];

  constructor(machine: Machine<E, A>) {
    this.machine = machine;
  }

  at(nowNs: number): this {
    this.#nowNs = nowNs;
    return this;
  }

  give(event: E): this {
    this.#out = [];
    this.machine.step(this.#nowNs, event, this.#out);
    return this;
  }

  /** All actions of the last step but reports, in order, and nothing more. */
  expect(...expected: string[]): this {
    assert.equal(this.#out.filter((a) => a.type !== 'report').map(summary), expected);
    return this;
  }

  /** The timer runs until then. */
  wakesAt(ns: number): this {
    assert.is(this.machine.nextWakeNs(), ns);
    return this;
  }

  /** The message the last step sent. */
  sent<T extends Message['type']>(type: T): Extract<Message, { type: T }> {
    for (const a of this.#out)
      if (a.type === 'send' && a.message.type === type) return a.message as Extract<Message, { type: T }>;
    throw new Error(`no ${type} was sent`);
  }

  actions(): readonly A[] {
    return this.#out;
  }
}

/** A frame for the guest, told apart by `n`; group frames by the lowest bit of the first byte. */
export function frameOf(n: number, group = false): Uint8Array {
  const f = new Uint8Array(60);
  f[0] = group ? 0xff : 0x02;
  f[6] = n;
  f[7] = n >> 8;
  return f;
}
