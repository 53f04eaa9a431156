/**
 * Test hook: a host that dies, or stops, at a point of the move that has a name. The kill matrix of test/chaos uses
 * it, since the instants that matter lie microseconds apart.
 *
 *   source       before-commit │ COMMIT │ after-commit │ FINAL │ final-sent … started-heard … ended-recorded
 *   destination  final-heard │ before-running │ RUNNING │ after-running │ start │ guest-started │ STARTED │ started-sent
 *                before-never │ NEVER │ after-never │ NACK
 */
export type NamedPoint =
  | 'before-commit'
  | 'after-commit'
  | 'final-sent'
  | 'started-heard'
  | 'ended-recorded'
  | 'final-heard'
  | 'before-running'
  | 'after-running'
  | 'guest-started'
  | 'started-sent'
  | 'before-never'
  | 'after-never';

export type Passing = (point: NamedPoint) => void;

/** Sends this process `signal` when the point is passed. */
export function signalAt(wanted: NamedPoint, signal: 'SIGKILL' | 'SIGSTOP'): Passing {
  return (point) => {
    if (point === wanted) process.kill(process.pid, signal);
  };
}
