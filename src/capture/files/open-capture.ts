/**
 * Opens a capture of any format that is read, and says by name what is none.
 *
 *   first bytes ─┬─ 0a0d0d0a            ─► PcapngDecoder, a chunk at a time
 *                ├─ a1b2c3d4, a1b23c4d  ─► ClassicReader (pcap-parser)
 *                └─ anything else       ─► CAPTURE_EMPTY, CAPTURE_FOREIGN
 *
 * Memory stays bounded whatever the file says: one chunk, and what is left over of the one before it.
 */
import { ConfigError } from '../../core/index.js';
import {
  BLOCK_SECTION,
  type CaptureDamage,
  type CaptureEpoch,
  type CaptureErrorCode,
  type CaptureInterface,
  type CaptureSection,
  CLASSIC_HEADER_BYTES,
  type ClassicHeader,
  type InterfaceStatistics,
  isClassicMagic,
  PcapngDecoder,
  type ReadPacket,
  type ResolvedName,
  readClassicHeader,
  whatItIs,
} from '../index.js';
import type { CaptureReader, OpenOptions } from './capture-io.js';
import { CHUNK_BYTES, ChunkSource } from './chunk-source.js';
import { ClassicReader } from './classic-reader.js';

const TOLERANT_HINT = '--tolerant uses what can be read before it';

/** What is known of any capture, and the reading of its chunks. */
abstract class Reader implements CaptureReader {
  readonly path: string;
  protected readonly source: ChunkSource;
  protected readonly head: Uint8Array;
  readonly #tolerant: boolean;

  /** @param head the file's first bytes, already taken from `source` */
  constructor(path: string, source: ChunkSource, head: Uint8Array, { tolerant = false }: OpenOptions) {
    this.path = path;
    this.source = source;
    this.head = head;
    this.#tolerant = tolerant;
  }

  abstract readonly section: CaptureSection;
  abstract readonly interfaces: readonly CaptureInterface[];
  abstract readonly epoch: CaptureEpoch | null;
  abstract readonly statistics: readonly InterfaceStatistics[];
  abstract readonly names: readonly ResolvedName[];
  abstract readonly damage: CaptureDamage | null;
  /** The packets of the next chunk; null at the end. */
  protected abstract next(): Promise<ReadPacket[] | null>;

  async *batches(): AsyncGenerator<readonly ReadPacket[], void, undefined> {
    try {
      for (let batch = await this.next(); batch !== null; batch = await this.next()) {
        if (batch.length > 0) yield batch;
        if (this.damage !== null) break;
      }
      if (this.damage !== null && !this.#tolerant) throw refusal(this.path, this.damage, TOLERANT_HINT);
    } finally {
      await this.close();
    }
  }

  close(): Promise<void> {
    return this.source.close();
  }
}

class PcapngFile extends Reader {
  readonly #decoder = new PcapngDecoder();
  #left: Uint8Array;
  #offset = 0;
  #ended = false;

  constructor(path: string, source: ChunkSource, head: Uint8Array, options: OpenOptions) {
    super(path, source, head, options);
    this.#left = head;
  }

  get section(): CaptureSection {
    return this.#decoder.section!;
  }

  get interfaces(): readonly CaptureInterface[] {
    return this.#decoder.interfaces;
  }

  get epoch(): CaptureEpoch | null {
    return this.#decoder.epoch;
  }

  get statistics(): readonly InterfaceStatistics[] {
    return this.#decoder.statistics;
  }

  get names(): readonly ResolvedName[] {
    return this.#decoder.names;
  }

  get damage(): CaptureDamage | null {
    return this.#decoder.damage;
  }

  protected async next(): Promise<ReadPacket[] | null> {
    if (this.#ended) return null;
    // Fresh for every chunk: the packets handed out are views of it.
    const chunk = Buffer.allocUnsafeSlow(this.#left.length + CHUNK_BYTES);
    chunk.set(this.#left);
    const filled = this.#left.length + (await this.source.fill(chunk, this.#left.length));
    this.#ended = filled < chunk.length;
    const packets: ReadPacket[] = [];
    const bytes = chunk.subarray(0, filled);
    const taken = this.#decoder.decode(bytes, this.#offset, this.#ended, packets);
    this.#left = bytes.subarray(taken);
    this.#offset += taken;
    return packets;
  }

  /** Reads the first chunk for the section header, and keeps its packets for `batches`. */
  async begin(): Promise<void> {
    this.#first = await this.next();
    if (this.#decoder.section === null) {
      await this.close();
      throw refusal(this.path, this.damage!, 'there is nothing before it that could be read');
    }
  }

  #first: ReadPacket[] | null = null;

  override async *batches(): AsyncGenerator<readonly ReadPacket[], void, undefined> {
    try {
      if (this.#first !== null && this.#first.length > 0) yield this.#first;
      this.#first = null;
      yield* super.batches();
    } finally {
      await this.close();
    }
  }
}

class ClassicFile extends Reader {
  readonly section: CaptureSection;
  readonly interfaces: readonly CaptureInterface[];
  readonly statistics: readonly InterfaceStatistics[] = [];
  readonly names: readonly ResolvedName[] = [];
  readonly #reader: ClassicReader;
  readonly #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #bytes = CLASSIC_HEADER_BYTES;
  #ended = false;

  constructor(
    path: string,
    source: ChunkSource,
    head: Uint8Array,
    header: ClassicHeader,
    options: OpenOptions,
  ) {
    super(path, source, head, options);
    const { resolution, littleEndian, linkType, snapBytes } = header;
    this.section = {
      format: 'pcap',
      byteOrder: littleEndian ? 'little' : 'big',
      resolution,
      application: null,
      hardware: null,
      operatingSystem: null,
      comments: [],
    };
    this.interfaces = [{ name: '', description: '', linkType, snapBytes }];
    this.#reader = new ClassicReader(head, header);
  }

  get epoch(): CaptureEpoch | null {
    return this.#reader.epoch;
  }

  get damage(): CaptureDamage | null {
    return this.#reader.damage;
  }

  protected async next(): Promise<ReadPacket[] | null> {
    if (this.#ended) return null;
    const filled = await this.source.fill(this.#chunk, 0);
    this.#ended = filled < this.#chunk.length;
    this.#bytes += filled;
    const packets: ReadPacket[] = [];
    this.#reader.feed(this.#chunk.subarray(0, filled), packets);
    if (this.#ended) this.#reader.end(this.#bytes);
    return packets;
  }
}

/**
 * Opens a capture and reads what stands before its packets.
 * @param path `-` for standard input
 * @throws ConfigError CAPTURE_FILE, CAPTURE_EMPTY, CAPTURE_FOREIGN, CAPTURE_VERSION, CAPTURE_TRUNCATED …
 */
export async function openCapture(path: string, options: OpenOptions = {}): Promise<CaptureReader> {
  const source = await ChunkSource.open(path);
  try {
    const head = new Uint8Array(CLASSIC_HEADER_BYTES);
    const filled = await source.fill(head, 0);
    const start = head.subarray(0, filled);
    if (filled === 0) throw empty(path);
    if (new DataView(head.buffer).getUint32(0) === BLOCK_SECTION) {
      const file = new PcapngFile(path, source, start, options);
      await file.begin();
      return file;
    }
    if (!isClassicMagic(start)) throw foreign(path, start);
    if (filled < head.length) {
      const text = `the file ends within the header of ${CLASSIC_HEADER_BYTES} bytes`;
      throw refusal(path, { code: 'CAPTURE_TRUNCATED', text, offset: filled }, 'there is no packet in it');
    }
    const header = readClassicHeader(head);
    if (!header.ok) throw refusal(path, header.damage, 'convert it: editcap FILE OUT.pcapng');
    return new ClassicFile(path, source, head, header.value, options);
  } catch (e) {
    await source.close();
    throw e;
  }
}

function refusal(path: string, { code, text, offset }: CaptureDamage, hint: string): ConfigError {
  return new ConfigError<CaptureErrorCode>(code, `${path}, at byte ${offset}: ${text}`, {
    details: { path, offset },
    hint,
  });
}

function empty(path: string): ConfigError {
  return new ConfigError<CaptureErrorCode>('CAPTURE_EMPTY', `${path} is empty`, {
    details: { path, offset: 0 },
    hint: 'a capture has a header of at least 24 bytes: was the recording ended?',
  });
}

function foreign(path: string, start: Uint8Array): ConfigError {
  const { what, hint } = whatItIs(start);
  return new ConfigError<CaptureErrorCode>('CAPTURE_FOREIGN', `${path} is no capture but ${what}`, {
    details: { path, offset: 0 },
    hint,
  });
}
