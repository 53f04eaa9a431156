/**
 * Writes a capture, pcapng or classic, to a file, a pipe or a ring of files. Every file of a ring is whole in
 * itself: it begins with the section's words and all interfaces known by then.
 */
import { ConfigError } from '../../core/index.js';
import {
  BlockBuffer,
  type CaptureErrorCode,
  type CaptureInterface,
  ClassicEncoder,
  encodeEvent,
  type InterfaceStatistics,
  LINK_ETHERNET,
  LINK_EVENTS,
  MAX_SNAP_BYTES,
  type PacketNotes,
  PcapngEncoder,
} from '../index.js';
import type { CaptureWriter, CreateOptions, WritePacket } from './capture-io.js';
import { OutputFile, RingNames } from './output-file.js';

/** Bytes that are gathered before they are written. */
const FLUSH_BYTES = 2 ** 18;
const MIN_RING_BYTES = 2 ** 16;

/** What the writing of a recording needs besides: bytes within a larger store, and when to hand over. */
export class CaptureFile implements CaptureWriter {
  packets = 0;
  bytes = 0;
  /** Where it is written; of a ring the pattern of its names. */
  readonly place: string;
  readonly #path: string;
  readonly #options: CreateOptions;
  readonly #snapBytes: number;
  readonly #out = new BlockBuffer(FLUSH_BYTES + 2 ** 17);
  readonly #pcapng: PcapngEncoder | null;
  readonly #classic: ClassicEncoder | null;
  readonly #interfaces: CaptureInterface[] = [];
  readonly #ring: RingNames | null;
  #file: OutputFile;
  #fileBytes = 0;
  /** Of the first packet in this file. */
  #fileSinceNs: number | null = null;
  #events = -1;
  #lastNs = 0;

  /** @throws ConfigError CAPTURE_FILE, CAPTURE_OPTIONS */
  constructor(path: string, options: CreateOptions) {
    const { format = 'pcapng', epoch, snapBytes = MAX_SNAP_BYTES, ring } = options;
    checkOptions(path, options);
    this.#path = path;
    this.#options = options;
    this.#snapBytes = snapBytes;
    this.#pcapng = format === 'pcapng' ? new PcapngEncoder(this.#out, epoch) : null;
    this.#classic =
      format === 'pcapng' ? null : new ClassicEncoder(this.#out, epoch, format === 'pcap-ns' ? 'ns' : 'us');
    this.place = ring === undefined ? path : RingNames.pattern(path);
    this.#ring = ring === undefined ? null : new RingNames(path, ring.files ?? Number.POSITIVE_INFINITY);
    this.#file = new OutputFile(this.#ring?.next() ?? this.#path);
    this.#begin();
  }

  addInterface(description: Partial<CaptureInterface> & Pick<CaptureInterface, 'name'>): number {
    if (this.#pcapng === null) return 0;
    const whole = { description: '', linkType: LINK_ETHERNET, snapBytes: this.#snapBytes, ...description };
    this.#interfaces.push(whole);
    this.#pcapng.interface(whole);
    return this.#interfaces.length - 1;
  }

  write(packet: WritePacket): void {
    const { interfaceId, atNs, bytes, originalBytes = bytes.length } = packet;
    this.put(interfaceId, atNs, bytes, 0, bytes.length, originalBytes, packet);
  }

  /** `write` for bytes within a larger store, `start..end` of `data`. */
  put(
    interfaceId: number,
    atNs: number,
    data: Uint8Array,
    start: number,
    end: number,
    originalBytes: number,
    notes: PacketNotes,
  ): void {
    if (this.#ring !== null && this.#isFull(atNs)) this.#turn();
    this.#fileSinceNs ??= atNs;
    this.#lastNs = atNs;
    const kept = Math.min(end, start + this.#snapBytes);
    this.#classic?.packet(atNs, data, start, kept, originalBytes);
    this.#pcapng?.packet(interfaceId, atNs, data, start, kept, originalBytes, notes);
    this.packets++;
    if (this.#out.length >= FLUSH_BYTES) this.flush();
  }

  comment(atNs: number, text: string): void {
    if (this.#pcapng === null) return;
    if (this.#events < 0) {
      this.#events = this.addInterface({
        name: 'events',
        description: 'what happened in the run',
        linkType: LINK_EVENTS,
      });
    }
    this.write({ interfaceId: this.#events, atNs, bytes: encodeEvent(text), comment: text });
  }

  /** Hands everything so far to the system, so that a reader at the other end of a pipe sees it. */
  flush(): void {
    this.#file.write(this.#out.bytes, this.#out.length);
    this.#fileBytes += this.#out.length;
    this.bytes += this.#out.length;
    this.#out.clear();
  }

  close(statistics: readonly InterfaceStatistics[] = []): void {
    try {
      for (const counts of statistics) this.#pcapng?.statistics(this.#lastNs, counts);
      this.flush();
    } finally {
      this.#file.close();
    }
  }

  #begin(): void {
    this.#classic?.header(this.#snapBytes, LINK_ETHERNET);
    this.#pcapng?.section({
      application: 'longhaul',
      operatingSystem: 'Linux',
      comments: this.#options.comments ?? [],
    });
    for (const description of this.#interfaces) this.#pcapng?.interface(description);
  }

  #isFull(atNs: number): boolean {
    const { maxBytes = Number.POSITIVE_INFINITY, maxNs = Number.POSITIVE_INFINITY } = this.#options.ring!;
    if (this.#fileSinceNs === null) return false;
    return this.#fileBytes + this.#out.length >= maxBytes || atNs - this.#fileSinceNs >= maxNs;
  }

  #turn(): void {
    this.flush();
    this.#file.close();
    this.#file = new OutputFile(this.#ring!.next());
    this.#fileBytes = 0;
    this.#fileSinceNs = null;
    this.#begin();
  }
}

/** Begins a capture. @param path `-` for standard output @throws ConfigError CAPTURE_FILE, CAPTURE_OPTIONS */
export function createCapture(path: string, options: CreateOptions): CaptureWriter {
  return new CaptureFile(path, options);
}

function checkOptions(path: string, { snapBytes = MAX_SNAP_BYTES, ring }: CreateOptions): void {
  const refuse = (text: string, hint: string): never => {
    throw new ConfigError<CaptureErrorCode>('CAPTURE_OPTIONS', text, { hint });
  };
  if (!(snapBytes >= 64 && snapBytes <= MAX_SNAP_BYTES)) {
    refuse(
      `a snap length of ${snapBytes} is outside 64..${MAX_SNAP_BYTES} bytes`,
      'leave it out to keep all',
    );
  }
  if (ring === undefined) return;
  const { maxBytes, maxNs, files } = ring;
  if (path === '-') refuse('standard output cannot be a ring of files', 'name a file');
  if (maxBytes === undefined && maxNs === undefined) {
    refuse('a ring of files has neither a size nor a time', 'give one of them');
  }
  if (maxBytes !== undefined && !(maxBytes >= MIN_RING_BYTES)) {
    refuse(`files of ${maxBytes} bytes are below ${MIN_RING_BYTES}`, 'choose 64KiB or more');
  }
  if (maxNs !== undefined && !(maxNs >= 1e6))
    refuse(`files of ${maxNs} ns are below 1 ms`, 'choose 1ms or more');
  if (files !== undefined && !(Number.isInteger(files) && files >= 2)) {
    refuse(`a ring of ${files} files is below 2`, 'choose 2 or more');
  }
}
