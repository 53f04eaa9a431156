/**
 * The machines of one check as tables, and how their actions and events are told in small numbers.
 *
 * Options are tiny, so that a migration is short: one probe, two rounds at most, one page in a post-copy pause.
 */
import { PageSet } from '../../core/index.js';
import {
  type ConvergencePolicy,
  Destination,
  type DestinationAction,
  type DestinationEvent,
  decodePageSet,
  type Hash64,
  type MigrationMode,
  SetHash,
  Source,
  type SourceAction,
  type SourceEvent,
} from '../../vmotion-protocol/index.js';
import { MachineTable, type Specimen } from './machine-table.js';
import { MessageBook } from './message-book.js';
import { FORGOTTEN, NEVER, OTHER_STORE, pageAt, RUNNING, type World } from './world.js';

export const MIGRATION_ID = '0123456789abcdef0123456789abcdef';
const GUEST = 'web-1';
const STORE_A = 'aa'.repeat(16);
const STORE_B = 'bb'.repeat(16);
/** The store of a destination whose first one was lost. */
const STORE_B2 = 'cc'.repeat(16);
const EPOCH = 1;

/** What the source's driver is to do. Sets of pages are bits by pfn, messages are numbers of the book. */
export type SourceEffect =
  | { readonly do: 'send'; readonly message: number }
  | {
      readonly do: 'send-pages';
      readonly round: number;
      readonly pages: number;
      readonly missing: number;
    }
  | { readonly do: 'serve-pages'; readonly pages: number }
  | { readonly do: 'record'; readonly record: 'COMMIT' | 'ENDED' }
  | { readonly do: 'deliver-late-frames'; readonly frames: number }
  | { readonly do: 'finished'; readonly outcome: string }
  | {
      readonly do:
        | 'harvest'
        | 'pause-guest'
        | 'save-state'
        | 'resume-guest'
        | 'forward-late-frames'
        | 'release-guest';
    };

export type DestinationEffect =
  | { readonly do: 'send'; readonly message: number }
  | { readonly do: 'arm'; readonly left: number }
  | { readonly do: 'verify'; readonly setHash: Hash64; readonly missing: number }
  | { readonly do: 'record'; readonly record: 'RUNNING' | 'NEVER' }
  | { readonly do: 'finished'; readonly outcome: string }
  | {
      readonly do:
        | 'prepare'
        | 'tell-missing'
        | 'take-up'
        | 'load-state'
        | 'start-guest'
        | 'announce'
        | 'inject-frame'
        | 'send-hashes'
        | 'discard'
        | 'forget-records';
    };

export type SourceSpecimen = Specimen<SourceEvent, SourceAction>;
export type DestinationSpecimen = Specimen<DestinationEvent, DestinationAction>;

/** A machine made worse on purpose, or a host: what a check must catch. */
export interface Mutation {
  readonly name: string;
  source?(machine: SourceSpecimen): SourceSpecimen;
  destination?(machine: DestinationSpecimen): DestinationSpecimen;
  /** New machines of the destination are not told what is on record, or not that their store is another one. */
  readonly unaware?: 'records' | 'store';
}

export class Model {
  readonly pages: number;
  readonly book = new MessageBook();
  readonly source: MachineTable<SourceEvent, SourceAction, SourceEffect>;
  readonly destination: MachineTable<DestinationEvent, DestinationAction, DestinationEffect>;
  readonly #hashes = new Map<number, Hash64>();

  constructor(mode: MigrationMode, pages: number, mutation: Mutation | null = null) {
    this.pages = pages;
    this.source = new MachineTable(
      () => {
        const machine = sourceOf(mode, pages);
        return mutation?.source?.(machine) ?? machine;
      },
      (action) => this.#sourceEffect(action),
    );
    this.destination = new MachineTable(
      (records) => {
        const machine = destinationOf(pages, records, mutation?.unaware);
        return mutation?.destination?.(machine) ?? machine;
      },
      (action) => this.#destinationEffect(action),
    );
  }

  /** The number of a new destination machine, built over these records. */
  newDestination(w: World): number {
    return this.destination.root(w.recordsB);
  }

  /** The set-hash of a memory: over the pages that have content. */
  setHash(memory: number): Hash64 {
    let hash = this.#hashes.get(memory);
    if (hash === undefined) {
      const sum = new SetHash();
      for (let pfn = 0; pfn < this.pages; pfn++) {
        const content = pageAt(memory, pfn);
        if (content !== 0) sum.add(pfn, content, pfn + 1);
      }
      hash = sum.value();
      this.#hashes.set(memory, hash);
    }
    return hash;
  }

  setOf(bits: number): PageSet {
    return new PageSet(this.pages, Uint32Array.of(bits));
  }

  /** The pages that FINAL names as missing. */
  missingOf(bytes: Uint8Array): number {
    return decodePageSet(this.pages, bytes)?.words[0] ?? 0;
  }

  #sourceEffect(a: SourceAction): SourceEffect | null {
    switch (a.type) {
      case 'send':
        return { do: 'send', message: this.book.enter(a.message) };
      case 'send-pages':
        return { do: a.type, round: a.round, pages: bitsOf(a.pages), missing: bitsOf(a.missing) };
      case 'serve-pages':
        return { do: a.type, pages: bitsOf(a.pages) };
      case 'record':
        return { do: a.type, record: a.record };
      case 'deliver-late-frames':
        return { do: a.type, frames: a.frames.length };
      case 'finished':
        return { do: a.type, outcome: a.outcome };
      case 'slow-guest': // how fast the guest writes is free in a world without time
      case 'report':
        return null;
      default:
        return { do: a.type };
    }
  }

  #destinationEffect(a: DestinationAction): DestinationEffect | null {
    switch (a.type) {
      case 'send':
        return { do: 'send', message: this.book.enter(a.message) };
      case 'arm':
        return { do: a.type, left: bitsOf(a.left) };
      case 'verify':
        return { do: a.type, setHash: a.setHash, missing: bitsOf(a.missing) };
      case 'record':
        return { do: a.type, record: a.record };
      case 'finished':
        return { do: a.type, outcome: a.outcome };
      case 'nic-direct':
      case 'report':
        return null;
      default:
        return { do: a.type };
    }
  }
}

function bitsOf(set: PageSet | null): number {
  return set?.words[0] ?? 0;
}

function sourceOf(mode: MigrationMode, pages: number): Source {
  return new Source({
    migrationId: MIGRATION_ID,
    guest: GUEST,
    epoch: EPOCH,
    pages,
    streams: 1,
    storeId: STORE_A,
    mode,
    probes: 1,
    flightPages: 1,
    policy: POLICY,
  });
}

/** One round, and the last one; what is dirty then is missing in a hybrid move, but for one page. */
const POLICY: ConvergencePolicy = {
  decide: ({ mode }) => ({
    action: mode === 'hybrid' ? 'post-copy' : 'switch',
    predictedPauseNs: 0,
    etaNs: 0,
    confidence: 1,
    reason: 'one round is enough',
    ...(mode === 'hybrid' ? { flightPagesMax: 1 } : {}),
  }),
};

/** @param records what stands in the host's store, in the bits of `World.recordsB` */
function destinationOf(pages: number, records: number, unaware: Mutation['unaware']): Destination {
  const sameStore = (records & OTHER_STORE) === 0;
  const told = unaware === 'records' ? 0 : records;
  return new Destination({
    guest: GUEST,
    pages,
    storeId: sameStore || unaware === 'store' ? STORE_B : STORE_B2,
    epochOf: () => (sameStore && (told & (RUNNING | NEVER)) !== 0 ? EPOCH : null),
    decisionOf: () => decisionOf(told),
  });
}

/** What a store says was decided. @param records in the bits of `World.recordsB` */
export function decisionOf(records: number): 'RUNNING' | 'NEVER' | null {
  if ((records & (FORGOTTEN | OTHER_STORE)) !== 0) return null;
  if ((records & RUNNING) !== 0) return 'RUNNING';
  return (records & NEVER) !== 0 ? 'NEVER' : null;
}
