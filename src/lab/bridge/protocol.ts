/**
 * What a running bridge and `longhaul ctl` say to each other over a unix socket: one JSON object a line.
 *
 *   bridge ─► {"protocol":"longhaul/control/1","name":"two-namespaces","pid":4711}       once, on connecting
 *   client ─► {"id":1,"do":"set","direction":"a-b","lane":{"loss":"1%"}}
 *   bridge ─► {"id":1,"ok":true,"result":{…}}
 *          or {"id":1,"ok":false,"error":{"code":"CORE_UNIT_RANGE","message":"…","hint":"…"}}
 *
 * The number of the protocol changes when a client of the one before would misread an answer; fields that are
 * added do not change it, and readers ignore those that they do not know. docs/control.md is the same for
 * people who write a client.
 */
import { z } from 'zod';
import { DIRECTIONS } from '../config/experiment.js';

export const CONTROL_PROTOCOL = 'longhaul/control/1';
/** The longest request, its newline left out. */
export const MAX_REQUEST_BYTES = 65_536;
/** The most addresses of a site that `macs` gives. */
export const MAX_MACS = 4096;

export type ControlErrorCode =
  /** The line is longer than `MAX_REQUEST_BYTES`. */
  | 'LAB_CONTROL_LINE'
  /** It is not a JSON object. */
  | 'LAB_CONTROL_JSON'
  /** `do` names nothing. */
  | 'LAB_CONTROL_COMMAND'
  /** A field is missing, unknown or of a wrong kind. */
  | 'LAB_CONTROL_FIELD'
  /** Too many clients at once. */
  | 'LAB_CONTROL_BUSY'
  /** There is no such port, span or bridge. */
  | 'LAB_CONTROL_ABSENT'
  /** The answer is of another protocol, or none. */
  | 'LAB_CONTROL_PEER';

export const GREETING = z.object({
  protocol: z.string(),
  name: z.string(),
  pid: z.int(),
});
export type Greeting = z.infer<typeof GREETING>;

const id = z.union([z.int(), z.string().max(64)]).optional();
/** Keys as the bridge file has them; the bridge reads them as it reads the file. */
const keys = z.record(z.string(), z.unknown());

/** As `RecordingOptions` of the fabric has them. */
const RECORDING = z.strictObject({
  /** Absolute: the bridge has a directory of its own. */
  path: z.string().regex(/^\//, 'give an absolute path'),
  format: z.enum(['pcapng', 'pcap-us', 'pcap-ns']).optional(),
  wire: z.boolean().optional(),
  snapBytes: z.int().optional(),
  filter: z.string().max(4096).optional(),
  ring: z
    .strictObject({ maxBytes: z.int().optional(), maxNs: z.number().optional(), files: z.int().optional() })
    .optional(),
});

export const REQUEST = z.discriminatedUnion('do', [
  z.strictObject({ id, do: z.literal('show') }),
  z.strictObject({ id, do: z.literal('ports') }),
  z.strictObject({ id, do: z.literal('macs'), limit: z.int().min(1).max(MAX_MACS).default(1000) }),
  z.strictObject({
    id,
    do: z.literal('set'),
    direction: z.enum([...DIRECTIONS, 'both']).default('both'),
    span: z.int().min(0).max(7).optional(),
    lane: keys,
  }),
  z.strictObject({ id, do: z.literal('add-port'), port: keys }),
  z.strictObject({ id, do: z.literal('remove-port'), name: z.string() }),
  z.strictObject({ id, do: z.literal('record'), recording: RECORDING }),
  z.strictObject({ id, do: z.literal('recording') }),
  z.strictObject({ id, do: z.literal('stop-recording') }),
]);
export type ControlRequest = z.infer<typeof REQUEST>;
/** The same before defaults are filled in: what a client sends. */
export type ControlCall = z.input<typeof REQUEST>;
export const COMMANDS: readonly string[] = REQUEST.options.map((option) => option.shape.do.value);

export const ANSWER = z.discriminatedUnion('ok', [
  z.object({ id: z.unknown(), ok: z.literal(true), result: z.unknown() }),
  z.object({
    id: z.unknown(),
    ok: z.literal(false),
    error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }),
  }),
]);
export type ControlAnswer = z.infer<typeof ANSWER>;
