/**
 * A migration as a capture shows it: its messages with their instants, its rounds, and the times that STARTED tells.
 *
 *   offer ─ accept ─ rounds … arm ─ ready ─ final ─ started ─ (complete) ─ ended        instants of the frames that completed each
 *
 * An instant is that of the first interface the capture saw the frame at. Bounded: 10,000 messages of a migration.
 */
import type { Message, StartedTimes } from '../vmotion-protocol/index.js';
import type { LinkEvents, PageWay, Sender } from './link-bytes.js';
import { Links, type SeenLink } from './links.js';
import { messageWords } from './message-words.js';
import type { Transport } from './transport.js';

const MESSAGES_MAX = 10_000;

export interface SeenMessage {
  readonly atNs: number;
  readonly from: Sender;
  readonly type: Message['type'];
  readonly words: string;
}

export interface SeenRound {
  readonly round: number;
  /** Pages by how they travelled, and the bytes of all of them. */
  readonly pages: Record<PageWay, number>;
  bytes: number;
  firstNs: number;
  lastNs: number;
  /** Streams that have ended it. */
  ends: number;
}

export interface SeenMigration {
  /** 32 hexadecimal digits; empty where the link is sealed. */
  id: string;
  readonly links: SeenLink[];
  readonly messages: SeenMessage[];
  /** Messages beyond the limit. */
  moreMessages: number;
  readonly rounds: Map<number, SeenRound>;
  demands: number;
  /** Of sealed links: records and their bytes; null where all is in the clear. */
  sealed: { records: number; bytes: number; handshakes: number } | null;
  times: StartedTimes | null;
  readonly unreadable: string[];
  /** The first RARP or gratuitous ARP behind FINAL; null when there was none. */
  announcedNs: number | null;
}

const UNREADABLE_MAX = 100;

export class Migrations {
  readonly #migrations = new Map<string, SeenMigration>();
  readonly #links: Links;
  #nowNs = 0;

  constructor() {
    this.#links = new Links((link) => this.#eventsOf(link));
  }

  /** A TCP segment or UDP datagram. @returns what it is of this protocol; null for all else */
  heard(atNs: number, t: Transport): string | null {
    this.#nowNs = atNs;
    return this.#links.heard(t);
  }

  /** A RARP or gratuitous ARP: the announcement of whoever was last committed. */
  announced(atNs: number): void {
    for (const m of this.#migrations.values()) {
      if (m.announcedNs === null && m.messages.some(({ type }) => type === 'final')) m.announcedNs = atNs;
    }
  }

  found(): readonly SeenMigration[] {
    for (const { seen, from, at } of this.#links.broken()) {
      const m = [...this.#migrations.values()].find(({ links }) => links.includes(seen));
      m?.unreadable.push(
        `${seen.source} ↔ ${seen.destination}: the capture lacks bytes of the ${from} from ${at} on`,
      );
    }
    return [...this.#migrations.values()].filter(
      (m) => m.id !== '' || m.sealed !== null || m.messages.length > 0,
    );
  }

  #eventsOf(link: SeenLink): LinkEvents {
    // Until its preamble is read a link belongs to nobody: what is sealed stays so, by the pair of hosts.
    let m: SeenMigration | null = null;
    const here = (): SeenMigration => {
      m ??= this.#of(`sealed ${hostsOf(link)}`, '', link);
      return m;
    };
    return {
      opened: ({ migrationId }) => {
        const id = Buffer.from(migrationId).toString('hex');
        m = this.#of(id, id, link);
      },
      message: (from, message) => note(here(), this.#nowNs, from, message),
      pages: (way, round, pages, bytes) => {
        const r = roundOf(here(), this.#nowNs, round);
        r.pages[way] += pages;
        r.bytes += bytes;
      },
      ended: (round) => {
        roundOf(here(), this.#nowNs, round).ends++;
      },
      demand: () => {
        here().demands++;
      },
      sealed: (_, kind, bytes) => {
        const to = here();
        to.sealed ??= { records: 0, bytes: 0, handshakes: 0 };
        if (kind === 'record') to.sealed.records++;
        else to.sealed.handshakes++;
        to.sealed.bytes += bytes;
      },
      unreadable: (from, text) => {
        const { unreadable } = here();
        if (unreadable.length < UNREADABLE_MAX) unreadable.push(`${from}: ${text}`);
      },
    };
  }

  #of(key: string, id: string, link: SeenLink): SeenMigration {
    let m = this.#migrations.get(key);
    if (m === undefined) {
      m = {
        id,
        links: [],
        messages: [],
        moreMessages: 0,
        rounds: new Map(),
        demands: 0,
        sealed: null,
        times: null,
        unreadable: [],
        announcedNs: null,
      };
      this.#migrations.set(key, m);
    }
    if (!m.links.includes(link)) m.links.push(link);
    return m;
  }
}

function note(m: SeenMigration, atNs: number, from: Sender, message: Message): void {
  if (message.type === 'started') m.times = message.times;
  if (m.messages.length >= MESSAGES_MAX) m.moreMessages++;
  else m.messages.push({ atNs, from, type: message.type, words: messageWords(message) });
}

/** The round, of which something has just been seen. */
function roundOf(m: SeenMigration, atNs: number, round: number): SeenRound {
  let r = m.rounds.get(round);
  if (r === undefined) {
    const pages = { raw: 0, zero: 0, same: 0, delta: 0, compressed: 0 };
    r = { round, pages, bytes: 0, firstNs: atNs, lastNs: atNs, ends: 0 };
    m.rounds.set(round, r);
  }
  r.lastNs = atNs;
  return r;
}

function hostsOf(link: SeenLink): string {
  return `${link.source.replace(/:\d+$/, '')} ${link.destination.replace(/:\d+$/, '')}`;
}
