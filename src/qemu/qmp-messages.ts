/**
 * The part of the QEMU Machine Protocol that is spoken here. QEMU's "QMP Protocol Specification", its QAPI schema
 * qapi/migration.json and qapi/run-state.json; checked against QEMU 7.2.
 *
 *   QEMU ──{"QMP": {"version": …}}──►            greeting, once
 *        ◄──{"execute": "NAME", "arguments": {…}, "id": 7}──
 *        ──{"return": …, "id": 7}──►  or  {"error": {"class", "desc"}, "id": 7}
 *        ──{"event": "STOP", "data": {…}, "timestamp": {"seconds", "microseconds"}}──►   at any time
 *
 * One JSON object a line. What a field's name does not say is its unit in QEMU: milliseconds, bytes a second.
 */

/** Commands by name: what they take and return. */
export interface QmpCommands {
  readonly qmp_capabilities: { readonly takes: Record<string, never>; readonly returns: unknown };
  readonly cont: { readonly takes: Record<string, never>; readonly returns: unknown };
  readonly quit: { readonly takes: Record<string, never>; readonly returns: unknown };
  readonly 'query-status': { readonly takes: Record<string, never>; readonly returns: unknown };
  readonly 'migrate-set-capabilities': {
    readonly takes: {
      readonly capabilities: readonly { readonly capability: string; readonly state: boolean }[];
    };
    readonly returns: unknown;
  };
  readonly 'migrate-set-parameters': {
    readonly takes: Readonly<Record<string, number | string>>;
    readonly returns: unknown;
  };
  readonly 'migrate-incoming': { readonly takes: { readonly uri: string }; readonly returns: unknown };
  readonly migrate: { readonly takes: { readonly uri: string }; readonly returns: unknown };
  readonly 'migrate-start-postcopy': { readonly takes: Record<string, never>; readonly returns: unknown };
  readonly migrate_cancel: { readonly takes: Record<string, never>; readonly returns: unknown };
  readonly 'query-memory-size-summary': { readonly takes: Record<string, never>; readonly returns: unknown };
  readonly pmemsave: {
    readonly takes: { readonly val: number; readonly size: number; readonly filename: string };
    readonly returns: unknown;
  };
  readonly 'query-migrate': { readonly takes: Record<string, never>; readonly returns: unknown };
}

export type QmpCommand = keyof QmpCommands;

/** Something that happened in QEMU. */
export interface QmpEvent {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** When it was read here, CLOCK_MONOTONIC. */
  readonly atNs: number;
  /** QEMU's own stamp of the wall clock, µs since 1970; null where it had none. */
  readonly stampUs: number | null;
}

export type QmpMessage =
  | { readonly kind: 'greeting'; readonly version: string }
  | { readonly kind: 'return'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number | null; readonly errorClass: string; readonly text: string }
  | { readonly kind: 'event'; readonly event: QmpEvent };

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function versionOf(greeting: Fields): string {
  const { major, minor, micro } = fieldsOf(fieldsOf(greeting.version).qemu);
  return [major, minor, micro].every((n) => typeof n === 'number') ? `${major}.${minor}.${micro}` : 'unknown';
}

/** Reads a line; null when it is nothing that QEMU says. @param atNs when it was read */
export function decodeQmp(line: string, atNs: number): QmpMessage | null {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    return null;
  }
  if (!isFields(message)) return null;
  if (isFields(message.QMP)) return { kind: 'greeting', version: versionOf(message.QMP) };
  if (typeof message.event === 'string') {
    const { seconds, microseconds } = fieldsOf(message.timestamp);
    const stamped = typeof seconds === 'number' && typeof microseconds === 'number' && seconds >= 0;
    const stampUs = stamped ? seconds * 1e6 + microseconds : null;
    return { kind: 'event', event: { name: message.event, data: fieldsOf(message.data), atNs, stampUs } };
  }
  const id = typeof message.id === 'number' ? message.id : null;
  if (isFields(message.error)) {
    const { class: errorClass, desc } = message.error;
    return { kind: 'error', id, errorClass: text(errorClass), text: text(desc) };
  }
  return 'return' in message && id !== null ? { kind: 'return', id, value: message.return } : null;
}
