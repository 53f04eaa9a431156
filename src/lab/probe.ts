/** What `longhaul doctor` finds out about this machine: one fact a probe. */
export interface Probe {
  /** What was tried: `tap`, `userfaultfd`, `raw-socket`. */
  readonly name: string;
  /** Whether it works here; found by trying, not by asking. */
  readonly ok: boolean;
  /** What was found, in a few words: a version, a figure, the errno. */
  readonly detail: string;
  /** What its lack costs the experiment. */
  readonly cost: string;
  /** What would make it work. */
  readonly remedy?: string;
}
