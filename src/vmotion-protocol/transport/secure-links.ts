/**
 * Links between two hosts that hold the run key, over links that anybody may open. It is a LinkPoller around a
 * LinkPoller: what runs on top of it, preambles and all, does not change. SPEC.md, "Security".
 *
 *   opener    connect ─► no session ──► BEGIN ─► TLS 1.3 ─► session ─► keyed
 *                    └─► a session ───► JOIN ────────────────────────► keyed, no round trip
 *   acceptor  stranger ─ greeting ─┬─ BEGIN, MAC right, nonce new ─► TLS 1.3 ─► session ─► keyed, accepted
 *                                  ├─ JOIN,  MAC right, nonce new ────────────────────────► keyed, accepted
 *                                  └─ all else: closed without a word, counted
 *
 * What a stranger costs is bounded: STRANGERS_MAX links of 56 bytes for GREETING_LIMIT_NS; TLS begins for those only
 * who have shown a new greeting under the run key, HANDSHAKES_MAX at once, HANDSHAKE_BYTES_MAX each; buffers are made
 * when a link is keyed. node:tls lives on the thread's event loop: while `wantsTurn`, give it one.
 */
import { randomBytes } from 'node:crypto';
import {
  decodeGreeting,
  encodeGreeting,
  GREETING_BEGIN,
  GREETING_BYTES,
  GREETING_JOIN,
  type Greeting,
  greetingIsAuthentic,
  KEY_LIMITS,
  type KeyLimits,
  NONCE_BYTES,
  NonceMemory,
  newRefusalCounts,
  type RecordSuite,
  type RefusalCounts,
  SECURE_REFUSALS,
  SESSION_NAME_BYTES,
  type SecureErrorCode,
  type SiteName,
} from '../index.js';
import { Chain, newRegion, type Region } from './chain.js';
import type { Link, LinkPoller } from './link.js';
import { LinkBuffers } from './link-buffers.js';
import { LinkHandshake } from './link-handshake.js';
import { SecureLink, type SecureLinkParts } from './secure-link.js';
import { type RunKey, runSecrets, SecureSession } from './secure-session.js';
import { openRecordSuite } from './secure-suite.js';

/** Links that have not greeted yet. The oldest goes for a new one: a host greets at once, who waits is no host. */
export const STRANGERS_MAX = 32;
/** New links looked at between two turns of the driver's loop, so that a flood of them keeps nobody else waiting. */
export const ACCEPTS_A_TURN = 16;
export const HANDSHAKES_MAX = 8;
export const GREETING_LIMIT_NS = 2_000_000_000;
export const HANDSHAKE_LIMIT_NS = 5_000_000_000;
/** Between two looks at a handshake that runs: node:tls answers when the event loop has turned, not on a descriptor. */
const TURN_NS = 100_000;
const NO_SESSION = new Uint8Array(SESSION_NAME_BYTES);
const NOTHING = new Uint8Array(0);

interface Stranger {
  readonly link: Link;
  readonly chain: Chain;
  readonly region: Region;
  readonly sinceNs: number;
}

/** A link that joins as soon as there is a session, or whose greeting has not gone yet. */
interface Joining {
  readonly link: SecureLink;
  /** The greeting on its way; null while there is no session to join. */
  greeting: { readonly chain: Chain; readonly nonce: Uint8Array; readonly session: SecureSession } | null;
}

export interface SecureLinksOptions {
  /** This host's site; the other one is the peer. */
  readonly site: SiteName;
  readonly runKey: RunKey;
  /** Told of the first refusal under each code, then of the 2nd, 4th, 8th …: a flood fills no log. */
  readonly onRefused: (code: SecureErrorCode, text: string, times: number) => void;
  /** Tests give others. */
  readonly suite?: RecordSuite;
  readonly limits?: KeyLimits;
}

export class SecureLinks implements LinkPoller {
  /** Peers and records turned away, by code. */
  readonly refusals: RefusalCounts = newRefusalCounts();
  readonly #inner: LinkPoller;
  readonly #suite: RecordSuite;
  readonly #site: SiteName;
  readonly #peerSite: SiteName;
  readonly #mine: ReturnType<typeof runSecrets>;
  readonly #peers: ReturnType<typeof runSecrets>;
  readonly #onRefused: SecureLinksOptions['onRefused'];
  readonly #linkParts: SecureLinkParts;
  /** Of the greetings that began sessions. */
  readonly #nonces = new NonceMemory('forget');
  #strangers: Stranger[] = [];
  #handshakes: LinkHandshake[] = [];
  #joining: Joining[] = [];
  readonly #accepted: SecureLink[] = [];
  /** Sessions that the peer began, by name. */
  readonly #sessions = new Map<string, SecureSession>();
  /** The session that our own links join. */
  #session: SecureSession | null = null;
  #nowNs = 0;

  constructor(inner: LinkPoller, options: SecureLinksOptions) {
    this.#inner = inner;
    this.#suite = options.suite ?? openRecordSuite();
    this.#site = options.site;
    this.#peerSite = options.site === 'a' ? 'b' : 'a';
    this.#mine = runSecrets(this.#suite, options.runKey, this.#site);
    this.#peers = runSecrets(this.#suite, options.runKey, this.#peerSite);
    this.#onRefused = options.onRefused;
    this.#linkParts = {
      suite: this.#suite,
      limits: options.limits ?? KEY_LIMITS,
      buffers: new LinkBuffers(),
      onRefused: (code, text) => this.#refuse(code, text),
      onClosed: (link) => this.#forget(link),
    };
  }

  /** Whether a TLS handshake runs: then the thread's event loop must turn between two calls of `takeIn`. */
  get wantsTurn(): boolean {
    return this.#handshakes.length > 0;
  }

  connect(): Link {
    const link = new SecureLink(this.#inner.connect(), this.#linkParts);
    const begins = this.#handshakes.some((h) => h.side === 'opener');
    if ((this.#session === null || this.#session.stale) && !begins) this.#begin(link);
    else this.#join(link);
    return link;
  }

  accept(): Link | null {
    return this.#accepted.shift() ?? null;
  }

  takeIn(nowNs: number): void {
    this.#nowNs = nowNs;
    this.#inner.takeIn(nowNs);
    for (let met = 0; met < ACCEPTS_A_TURN; met++) {
      const link = this.#inner.accept();
      if (link === null) break;
      this.#meet(link);
    }
    if (this.#strangers.length > 0) this.#hear();
    if (this.#handshakes.length > 0) this.#shakeHands();
    if (this.#joining.length > 0) this.#greet();
  }

  flush(nowNs: number): void {
    this.#inner.flush(nowNs);
  }

  nextWakeNs(): number {
    let wakeNs = this.#inner.nextWakeNs();
    if (this.#handshakes.length > 0) wakeNs = Math.min(wakeNs, this.#nowNs + TURN_NS);
    if (this.#strangers.length > 0)
      wakeNs = Math.min(wakeNs, this.#strangers[0]!.sinceNs + GREETING_LIMIT_NS);
    // A greeting waits for room in a socket only while it connects.
    if (this.#joining.length > 0) wakeNs = Math.min(wakeNs, this.#nowNs + TURN_NS);
    return wakeNs;
  }

  wantWrite(link: Link, want: boolean): void {
    const secure = link as SecureLink;
    secure.wantsWrite = want;
    if (secure.keyed) this.#inner.wantWrite(secure.inner, want);
  }

  close(): void {
    for (const stranger of this.#strangers) stranger.link.close();
    for (const handshake of this.#handshakes) handshake.close();
    this.#inner.close();
  }

  #begin(link: SecureLink): void {
    const nonce = randomBytes(NONCE_BYTES);
    const greeting = this.#greeting(GREETING_BEGIN, NO_SESSION, nonce, this.#mine.knockKey);
    const { identity, psk } = this.#mine;
    const tls = { side: 'opener', identity, psk, context: nonce } as const;
    this.#handshakes.push(new LinkHandshake(link, tls, greeting));
  }

  #join(link: SecureLink): void {
    const joining: Joining = { link, greeting: null };
    this.#joining.push(joining);
  }

  #greeting(kind: Greeting['kind'], session: Uint8Array, nonce: Uint8Array, key: Uint8Array): Chain {
    const bytes = encodeGreeting(this.#suite, { kind, from: this.#site, session, nonce }, key);
    const region = newRegion(bytes.length);
    region.bytes.set(bytes);
    const chain = new Chain();
    chain.push(region, 0, bytes.length);
    return chain;
  }

  /** Sends the greetings of links that join; a link is keyed when its greeting has gone. */
  #greet(): void {
    const begins = this.#handshakes.some((h) => h.side === 'opener');
    this.#joining = this.#joining.filter((joining) => {
      const { link } = joining;
      if (joining.greeting === null) {
        const session = this.#session;
        // A stale session is about to be replaced, and its peer may have forgotten it.
        if (session === null || session.stale) {
          if (!begins) link.break(); // the handshake it waited for has failed
          return begins;
        }
        const nonce = randomBytes(NONCE_BYTES);
        const chain = this.#greeting(GREETING_JOIN, session.name, nonce, session.joinKey);
        joining.greeting = { chain, nonce, session };
      }
      const { chain, nonce, session } = joining.greeting;
      if (!link.inner.send(chain)) {
        link.break();
        return false;
      }
      if (chain.bytes > 0) return true;
      this.#key(link, session, nonce, 'opener', NOTHING, 0);
      return false;
    });
  }

  #meet(link: Link): void {
    if (this.#strangers.length === STRANGERS_MAX) {
      turnAway(this.#strangers.shift()!.link);
      this.#refuse('VMOTION_HALF_OPEN');
    }
    const region = newRegion(GREETING_BYTES);
    const chain = new Chain();
    chain.push(region, 0, GREETING_BYTES);
    this.#strangers.push({ link, chain, region, sinceNs: this.#nowNs });
  }

  #hear(): void {
    this.#strangers = this.#strangers.filter((stranger) => {
      const n = stranger.link.receive(stranger.chain);
      const inTime = this.#nowNs - stranger.sinceNs < GREETING_LIMIT_NS;
      if (n >= 0 && stranger.chain.bytes === 0) {
        const refusal = this.#welcome(stranger);
        if (refusal === null) return false;
        if (refusal === 'wait' && inTime) return true;
        this.#refuse(refusal === 'wait' ? 'VMOTION_GREETING_KEY' : refusal);
      } else if (n >= 0 && inTime) {
        return true;
      } else if (n >= 0) {
        this.#refuse('VMOTION_GREETING_TIMEOUT');
      } else {
        this.#refuse('VMOTION_GREETING', 'a link was closed before its greeting');
      }
      turnAway(stranger.link);
      return false;
    });
  }

  /** @returns null when the stranger is none any more, or why it is sent away; `wait` to be asked again */
  #welcome({ link, region }: Stranger): SecureErrorCode | 'wait' | null {
    const bytes = region.bytes.subarray(0, GREETING_BYTES);
    const greeting = decodeGreeting(bytes);
    if (greeting === null) return 'VMOTION_GREETING';
    const joins = greeting.kind === GREETING_JOIN;
    const session = joins ? this.#sessions.get(Buffer.from(greeting.session).toString('hex')) : undefined;
    const key = joins ? session?.joinKey : this.#peers.knockKey;
    if (greeting.from !== this.#peerSite) return 'VMOTION_GREETING_KEY';
    // The opener has its session half a round trip before we do: a link that joins may overtake TLS's last flight.
    if (key === undefined) return this.#acceptsOne() ? 'wait' : 'VMOTION_GREETING_KEY';
    if (!greetingIsAuthentic(this.#suite, bytes, key)) return 'VMOTION_GREETING_KEY';
    if (!joins && this.#handshakes.length >= HANDSHAKES_MAX) return 'VMOTION_HALF_OPEN';
    if (!(session?.nonces ?? this.#nonces).take(greeting.nonce)) return 'VMOTION_GREETING_REPLAYED';
    const secure = new SecureLink(link, this.#linkParts);
    if (session !== undefined) {
      this.#key(secure, session, greeting.nonce, 'acceptor', NOTHING, 0);
      this.#accepted.push(secure);
      return null;
    }
    const { identity, psk } = this.#peers;
    const tls = { side: 'acceptor', identity, psk, context: greeting.nonce } as const;
    this.#handshakes.push(new LinkHandshake(secure, tls, new Chain()));
    return null;
  }

  #acceptsOne(): boolean {
    return this.#handshakes.some((h) => h.side === 'acceptor');
  }

  #shakeHands(): void {
    this.#handshakes = this.#handshakes.filter((handshake) => {
      const { link, side, nonce } = handshake;
      const state = handshake.service(this.#nowNs, HANDSHAKE_LIMIT_NS);
      if (state === 'running') return true;
      if (state === 'agreed') {
        const session = this.#newSession(side, handshake.secret!);
        this.#key(link, session, nonce, side, handshake.early, handshake.bytesLeft);
        if (side === 'acceptor') this.#accepted.push(link);
        else this.#session = session;
      } else {
        link.break();
        this.#refuse(state.code, state.text);
        if (side === 'acceptor') link.close();
      }
      handshake.close();
      return false;
    });
  }

  #newSession(side: 'opener' | 'acceptor', secret: Uint8Array): SecureSession {
    const session: SecureSession = new SecureSession(this.#suite, secret, () => {
      this.#sessions.delete(name);
      if (this.#session === session) this.#session = null;
    });
    const name = Buffer.from(session.name).toString('hex');
    if (side === 'acceptor') this.#sessions.set(name, session);
    return session;
  }

  #key(
    link: SecureLink,
    session: SecureSession,
    nonce: Uint8Array,
    side: 'opener' | 'acceptor',
    early: Uint8Array,
    handshakeBytesLeft: number,
  ): void {
    link.key(session, nonce, side, early, handshakeBytesLeft);
    if (link.wantsWrite) this.#inner.wantWrite(link.inner, true);
  }

  /** A link that is closed before it was keyed leaves nothing behind. */
  #forget(link: SecureLink): void {
    this.#joining = this.#joining.filter((joining) => joining.link !== link);
    this.#handshakes = this.#handshakes.filter((handshake) => {
      if (handshake.link === link) handshake.close();
      return handshake.link !== link;
    });
  }

  #refuse(code: SecureErrorCode, text: string = SECURE_REFUSALS[code]): void {
    const times = ++this.refusals[code];
    if ((times & (times - 1)) === 0) this.#onRefused(code, text, times);
  }
}

/** A stranger is owed nothing: no end in order, and no descriptor that waits for his. */
function turnAway(link: Link): void {
  if (link.abort) link.abort();
  else link.close();
}
