/**
 * The files of a host, side by side in its run's directory (mode 0700), each of mode 0600 and named after the store:
 *
 *   host-a.records   what it decided (records.ts)         host-a.sock    asks the process, while it lives
 *   host-a.keys      what proves who it is (key-file.ts)  host-a.words   what an operator has said (operator-words.ts)
 *   host-a.kept      a guest that stands (kept-guest.ts)  host-a.memory  link to its memory on tmpfs
 */
const RECORDS = '.records';

export interface HostFiles {
  readonly records: string;
  readonly keys: string;
  readonly socket: string;
  readonly words: string;
  readonly kept: string;
  readonly memory: string;
}

/** @param recordsPath of the store, `…/host-a.records` */
export function hostFilesOf(recordsPath: string): HostFiles {
  const stem = recordsPath.endsWith(RECORDS) ? recordsPath.slice(0, -RECORDS.length) : recordsPath;
  return {
    records: recordsPath,
    keys: `${stem}.keys`,
    socket: `${stem}.sock`,
    words: `${stem}.words`,
    kept: `${stem}.kept`,
    memory: `${stem}.memory`,
  };
}

/** The site of a store's file name, or null when it is none. */
export function siteOfStore(fileName: string): string | null {
  return /^host-([a-z0-9]{1,16})\.records$/.exec(fileName)?.[1] ?? null;
}
