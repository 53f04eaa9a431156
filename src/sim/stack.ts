/**
 * A host's side of the network between hosts: finds the link that a frame belongs to, opens and accepts links.
 *
 * It is the part of a host that its kernel would be: a process that is stopped does not stop it, one that is killed
 * takes its links along, and a frame of a link that is not known is answered by a reset.
 */
import { Link, type LinkSettings } from './link.js';
import { type LinkContent, type LinkFrame, LinkFrames, type LinkKind } from './link-frames.js';
import type { SiteName, StretchedSegment } from './stretched-segment.js';
import type { VirtualTime } from './virtual-time.js';

/** Numbers of connections, unique in a world. */
export interface ConnectionNumbers {
  next: number;
}

export class Stack {
  /** A link that the peer has opened. Null while no process listens: then its frames are answered by a reset. */
  onAccept: ((link: Link) => void) | null = null;
  readonly #time: VirtualTime;
  readonly #segment: StretchedSegment;
  readonly #settings: LinkSettings;
  readonly #numbers: ConnectionNumbers;
  readonly #frames: LinkFrames;
  readonly #port: number;
  readonly #links = new Map<number, Link>();
  /** Links that were here and are gone: their late frames open nothing. */
  readonly #gone = new Set<number>();
  #powered = true;

  constructor(
    time: VirtualTime,
    segment: StretchedSegment,
    site: SiteName,
    mac: number,
    peerMac: number,
    settings: LinkSettings,
    numbers: ConnectionNumbers,
  ) {
    this.#time = time;
    this.#segment = segment;
    this.#settings = settings;
    this.#numbers = numbers;
    this.#frames = new LinkFrames(mac, peerMac);
    this.#port = segment.addPort(site, `vmk-${site}`, 'vmk', (frame, missing) => {
      if (this.#powered && 'content' in frame) this.#take((frame as LinkFrame).content, missing);
    });
  }

  connect(kind: LinkKind): Link {
    return this.#add(this.#numbers.next++, kind, true);
  }

  /** The machine is without power: nothing is taken, nothing sent, all links are forgotten. */
  powerOff(): void {
    for (const link of [...this.#links.values()]) link.vanish();
    this.onAccept = null;
    this.#powered = false;
  }

  /** Back, and knows of nothing that was before. */
  powerOn(): void {
    this.#gone.clear();
    this.#powered = true;
  }

  #add(id: number, kind: LinkKind, opens: boolean): Link {
    const link = new Link(
      id,
      kind,
      this.#time,
      this.#settings,
      (content) => this.#send(content),
      () => {
        this.#links.delete(id);
        this.#gone.add(id);
      },
      opens,
    );
    this.#links.set(id, link);
    return link;
  }

  #send(content: LinkContent): void {
    if (this.#powered) this.#segment.send(this.#port, this.#frames.frame(content));
  }

  #take(content: LinkContent, missing: readonly number[] | null): void {
    const { connection } = content;
    const known = this.#links.get(connection);
    if (known !== undefined) return known.take(content, missing);
    if (content.type === 'fin' || content.type === 'reset') return;
    const opens = content.type === 'data' && content.opens && !this.#gone.has(connection);
    if (!opens || this.onAccept === null) return this.#send({ type: 'reset', connection });
    const link = this.#add(connection, content.kind, false);
    this.onAccept(link);
    link.take(content, missing);
  }
}
