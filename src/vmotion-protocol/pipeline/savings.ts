/** What one technique of the pipeline did. `savedBytes = bytesIn − bytesOut` at every instant. */
export interface Savings {
  /** Pages it was tried on. */
  readonly tried: number;
  /** Pages that travelled by it. */
  readonly hits: number;
  /** Bytes of those pages, and what they took in their place (without the record's header). */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly savedBytes: number;
  /** Time it took, estimated from the tries that were timed; nanoseconds. */
  readonly cpuNs: number;
}

export class SavingsCounter implements Savings {
  tried = 0;
  hits = 0;
  bytesIn = 0;
  bytesOut = 0;
  cpuNs = 0;

  get savedBytes(): number {
    return this.bytesIn - this.bytesOut;
  }

  hit(bytesIn: number, bytesOut: number): void {
    this.hits++;
    this.bytesIn += bytesIn;
    this.bytesOut += bytesOut;
  }

  /** The figures as a plain value for a result. */
  value(): Savings {
    const { tried, hits, bytesIn, bytesOut, savedBytes, cpuNs } = this;
    return { tried, hits, bytesIn, bytesOut, savedBytes, cpuNs: Math.round(cpuNs) };
  }
}
