/** Fragments to be sent again, first come first served: columns over a growing ring, so that nothing is allocated each. */
export class FragmentQueue {
  #mask = 255;
  #kind = new Uint8Array(256);
  #subject = new Float64Array(256);
  #version = new Uint32Array(256);
  #offset = new Uint16Array(256);
  #length = new Uint16Array(256);
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Of the fragment at the head. */
  get kind(): number {
    return this.#kind[this.#head]!;
  }

  /** The pfn, or a stream's offset. */
  get subject(): number {
    return this.#subject[this.#head]!;
  }

  get version(): number {
    return this.#version[this.#head]!;
  }

  get offset(): number {
    return this.#offset[this.#head]!;
  }

  get length(): number {
    return this.#length[this.#head]!;
  }

  push(kind: number, subject: number, version: number, offset: number, length: number): void {
    if (this.#size > this.#mask) this.#grow();
    const i = (this.#head + this.#size++) & this.#mask;
    this.#kind[i] = kind;
    this.#subject[i] = subject;
    this.#version[i] = version;
    this.#offset[i] = offset;
    this.#length[i] = length;
  }

  shift(): void {
    this.#head = (this.#head + 1) & this.#mask;
    this.#size--;
  }

  /** The first `n` bytes (or pages) of the head have been dealt with, and only the rest stays. */
  trim(subjectBy: number, offsetBy: number, n: number): void {
    const i = this.#head;
    this.#subject[i] = this.#subject[i]! + subjectBy;
    this.#offset[i] = this.#offset[i]! + offsetBy;
    this.#length[i] = this.#length[i]! - n;
  }

  clear(): void {
    this.#size = 0;
  }

  #grow(): void {
    const size = (this.#mask + 1) * 2;
    const move = <A extends Uint8Array | Uint16Array | Uint32Array | Float64Array>(from: A, to: A): A => {
      to.set(from.subarray(this.#head) as never);
      to.set(from.subarray(0, this.#head) as never, from.length - this.#head);
      return to;
    };
    this.#kind = move(this.#kind, new Uint8Array(size));
    this.#subject = move(this.#subject, new Float64Array(size));
    this.#version = move(this.#version, new Uint32Array(size));
    this.#offset = move(this.#offset, new Uint16Array(size));
    this.#length = move(this.#length, new Uint16Array(size));
    this.#head = 0;
    this.#mask = size - 1;
  }
}
