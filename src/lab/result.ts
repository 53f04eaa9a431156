/**
 * The result file: one JSON a run, and the only thing reports read.
 *
 *   result ─┬─ how it was made: schema, seed, revision, machine, attach, experiment
 *           ├─ how far to trust it: label, lateness, fabric accounting, memory peaks
 *           ├─ rtt: the round trip through the fiber, before the first move
 *           └─ migrations[] ─┬─ outcome, totalNs, pauseNs = Σ pauseParts, rounds[]
 *                            └─ clients[]: what each session saw of that move
 *
 * Version rule: within `longhaul/result/1` fields may be added, so readers ignore what they do not
 * know, and what an earlier one did not write is filled in with the value for "not measured"; a field that goes or changes its meaning makes it `/2`. Every quantity carries its unit in
 * its name; instants are nanoseconds of CLOCK_MONOTONIC since the run's epoch. JSON has no Infinity:
 * what is unlimited or was never measured is `null`.
 */
import { z } from 'zod';
import { ConfigError } from '../core/index.js';
import { DURABLES, EXPERIMENT_SCHEMA, MODES, SITES } from './config/experiment.js';
import { PEER_SCHEMA, QEMU_MOVE_SCHEMA } from './peer-result.js';
import { PIPELINE_SCHEMA } from './pipeline-result.js';

export const RESULT_VERSION = 'longhaul/result/1';

const ns = (text: string) => z.number().nonnegative().describe(`${text}, nanoseconds`);
const count = (text: string) => z.int().nonnegative().describe(text);
const site = (text: string) => z.enum(SITES).describe(text);

const RTT_SCHEMA = z
  .object({
    method: z
      .enum(['raw-socket', 'bridge-port'])
      .describe('Through the kernel by an ICMP raw socket, or by our own codec on a port of the bridge'),
    targetNs: ns('What it is held against: the 2009 experiment asked for a round trip under 1 ms'),
    minNs: ns('Shortest'),
    p50Ns: ns('Median'),
    p99Ns: ns('99th percentile'),
    maxNs: ns('Longest'),
    count: count('Answers received'),
    lost: count('Requests without an answer'),
  })
  .describe('ICMP round trip between the sites through both bridges and the fiber, before the first move');

const LATENESS_SCHEMA = z
  .object({
    p50Ns: ns('Median'),
    p99Ns: ns('99th percentile'),
    p999Ns: ns('99.9th percentile'),
    maxNs: ns('Largest'),
    count: count('Releases measured'),
  })
  .describe('How much later than due the fabric released frames, stamped just before the write');

const LANE_ACCOUNT_SCHEMA = z
  .object({
    framesIn: count('Frames offered (a super-frame is one)'),
    packetsIn: count('Wire packets offered'),
    bytesIn: count('Bytes offered, with preamble, FCS and inter-frame gap'),
    framesOut: count('Frames delivered'),
    packetsOut: count('Wire packets delivered'),
    bytesOut: count('Wire bytes delivered'),
    drops: z.record(z.string(), z.int().nonnegative()).describe('Wire packets dropped, by reason'),
    packetsHeld: count('Wire packets queued or in flight when it was counted'),
    packetsDuplicated: count('Copies of wire packets that the fiber made').default(0),
    packetsCorrupted: count('Wire packets that the fiber damaged and delivered').default(0),
    queuePeakBytes: count('Largest queue seen, wire bytes'),
  })
  .describe('packetsIn + packetsDuplicated = packetsOut + Σ drops + packetsHeld');

const BRIDGE_ACCOUNT_SCHEMA = z
  .object({
    framesIn: count('Frames received on all ports'),
    framesForwarded: count('Of these, frames sent to at least one port'),
    framesFlooded: count('Of these, frames sent to every other port'),
    drops: z.record(z.string(), z.int().nonnegative()).describe('Frames dropped, by reason'),
    macMoves: count('Times a known MAC address was learned on another port'),
  })
  .describe('framesIn = framesForwarded + Σ drops');

const FABRIC_SCHEMA = z.object({
  closes: z.boolean().describe('Whether every sum below closed when the run ended'),
  fiber: z.object({ aToB: LANE_ACCOUNT_SCHEMA, bToA: LANE_ACCOUNT_SCHEMA }),
  bridges: z.object({ a: BRIDGE_ACCOUNT_SCHEMA, b: BRIDGE_ACCOUNT_SCHEMA }),
});

const PAUSE_PARTS_SCHEMA = z
  .object({
    stopNs: ns('From the pause call until the guest stands'),
    harvestNs: ns('Collecting the last dirty pages'),
    saveStateNs: ns('Saving device and processor state'),
    recordCommitNs: ns('Recording COMMIT durably at the source'),
    sendNs: ns('Until the last byte of FINAL was handed to the transport'),
    propagateNs: ns('From there until its last byte arrived: the fiber and what stood in its queue'),
    applyNs: ns('Placing the last pages and the state'),
    verifyNs: ns('Checking the digest'),
    recordRunningNs: ns('Recording RUNNING durably at the destination'),
    startNs: ns('From the resume call until the first guest instruction'),
  })
  .describe('The pause in its parts, in order; they sum to pauseNs');

const ROUND_SCHEMA = z.object({
  round: count('Number, from 0; round 0 carries all memory'),
  startNs: ns('Instant it began'),
  durationNs: ns('How long it took'),
  dirtyPages: count('Pages found dirty when it ended'),
  pagesSent: count('Pages sent with content'),
  zeroPages: count('Pages that were all zero and travelled as a number'),
  bytes: count('Bytes handed to the transport'),
  throughputBps: z.number().nonnegative().describe('8 · bytes / duration, bits per second'),
  dirtyRatePagesPerS: z.number().nonnegative().describe('Rate at which the guest dirtied distinct pages'),
  predictedPauseNs: ns('What the policy predicted after it').nullable(),
});

const RTT_COURSE_SCHEMA = z
  .object({
    startNs: ns('Instant at which the first bin begins'),
    binNs: ns('Width of a bin'),
    count: z.array(z.int().nonnegative()).describe('Answered requests that were sent in each bin'),
    minNs: z.array(z.number().nonnegative()).describe('Shortest round trip of each; 0 where there was none'),
    meanNs: z.array(z.number().nonnegative()).describe('Mean'),
    maxNs: z.array(z.number().nonnegative()).describe('Longest'),
  })
  .describe('Round trips over time, by the instant at which the request was sent');

/** What a client holds with the guest: see `client/client-process.ts`. */
export const SESSION_KINDS = ['icmp', 'service', 'tcp-echo', 'tcp-counter', 'http', 'udp-echo'] as const;
export type SessionKind = (typeof SESSION_KINDS)[number];

const CLIENT_SCHEMA = z.object({
  site: site('Where the client stands'),
  kind: z
    .enum(SESSION_KINDS)
    .describe('Echo requests, requests to a model’s service, or a machine’s echo and counter by TCP or UDP'),
  sent: count('Requests sent from the offer until half a second after the announcement'),
  answered: count('Requests answered, each counted once'),
  lost: count('Requests never answered'),
  duplicated: count('Answers that came again'),
  wrong: count('Answers whose content was not the right one: a lost or stale page shows here'),
  bytesWrong: count('Bytes of a TCP stream that were not those which had to come there').default(0),
  resets: count('Times the guest had forgotten the session, or its TCP connection broke'),
  longestGapNs: ns('Longest time between consecutive answers'),
  longestGapStartNs: ns('Instant of the answer before that gap'),
  rttBeforeP50Ns: ns('Median round trip before the move').nullable(),
  rttAfterP50Ns: ns('Median round trip after the move').nullable(),
  rttCourse: RTT_COURSE_SCHEMA.nullable()
    .default(null)
    .describe('null in results that were written before it was measured'),
});

const POSTCOPY_SCHEMA = z
  .object({
    pagesMissing: count('Pages that the destination lacked when the guest started'),
    pagesDemanded: count('Sent since the guest waited for them'),
    pagesPushed: count('Sent in the order of their places'),
    zeroPages: count('Of both, those that were all zero and travelled as a number'),
    pagesAgain: count('Sent once more, since they came damaged'),
    bytes: count('Bytes handed to the transport'),
    faults: count('Times the guest stood at a missing page'),
    durationNs: ns('From the first guest instruction until the last page was in its place'),
  })
  .describe('Pages that came after the switchover; pagesMissing = pagesDemanded + pagesPushed');

const TRANSPORT_SCHEMA = z
  .object({
    name: z.enum(['tcp', 'udp']).describe('What carried the pages'),
    congestion: z.string().describe('Congestion control'),
    streams: count('Connections that carried pages'),
    packetsSent: count('Packets that the source sent on them'),
    packetsLost: count('Packets given up for lost; with TCP, segments sent again'),
    seenLossProb: z.number().min(0).describe('packetsLost over packetsSent'),
    bytesResent: count('UDP: page bytes sent again as they were'),
    pagesSuperseded: count('UDP: pages that had changed when a part was lost, and went anew as a whole'),
    paritySent: count('UDP: datagrams of parity'),
    parityUsed: count('UDP: lost packets that parity gave back at the destination'),
    pacingBps: z
      .number()
      .nonnegative()
      .nullable()
      .describe('Rate it would have gone on at, bits per second on the wire; null when not paced'),
    rttMinNs: ns('Shortest round trip it saw'),
  })
  .describe('What the transport did, at the source, from the offer to the end');

const MIGRATION_SCHEMA = z.object({
  index: count('Number, from 0'),
  from: site('Source'),
  to: site('Destination'),
  outcome: z
    .enum(['completed', 'stayed', 'in-doubt', 'lost'])
    .describe(
      'Runs at the destination; went on at the source; stands paused until resolved; gone with its host',
    ),
  guestAt: site('Where the guest runs afterwards').nullable(),
  reason: z.object({ code: z.string(), text: z.string() }).nullable().describe('Why, unless it completed'),
  mode: z.enum(MODES).nullable().describe('As the hosts agreed; null when they did not'),
  startNs: ns('Instant of the offer'),
  totalNs: ns('From the offer until STARTED reached the source'),
  pauseNs: ns('From the pause call to the first guest instruction at the destination').nullable(),
  pauseParts: PAUSE_PARTS_SCHEMA.nullable(),
  announceNs: ns('From that instruction until the first announcement left; not part of the pause').nullable(),
  blockedNs: ns("Time that the guest's threads stood at missing pages in the first 100 ms").nullable(),
  postcopy: POSTCOPY_SCHEMA.nullable(),
  pipeline: PIPELINE_SCHEMA.nullable().default(null),
  rounds: z.array(ROUND_SCHEMA),
  pagesSent: count('Pages sent with content, over all rounds and the final flight'),
  zeroPages: count('Pages sent as a number only'),
  pagesInPause: count('Pages that travelled while the guest stood'),
  bytesOnWire: count(
    'Bytes of vMotion traffic offered to the fiber towards the destination, with all overhead',
  ),
  throughputBps: z
    .number()
    .nonnegative()
    .describe(
      '8 · bytesOnWire over the time that rounds and post-copy took, bits per second: comparable to the rate of the link',
    ),
  transport: TRANSPORT_SCHEMA.nullable().default(null),
  framesForwarded: count('Frames for the guest that reached the source after the pause and were sent on'),
  copiesRunning: count(
    'Living hosts on which the guest ran when the move was over; null when not all answered',
  )
    .nullable()
    .default(null),
  linkBreaks: count('Times that the links of the move broke and were dialled again').default(0),
  pagesResent: count('Pages sent again over new links, since they had not come').default(0),
  memoryIdentical: z
    .boolean()
    .nullable()
    .describe(
      'Whether every page read back at the destination hashes as at the source; null when not compared',
    ),
  qemu: QEMU_MOVE_SCHEMA.nullable().default(null),
  clients: z.array(CLIENT_SCHEMA).describe('What each session saw of this move'),
});

const PROCESSORS_SCHEMA = z
  .object({
    spanNs: ns('How long they were watched: from the first move until the last is over'),
    cores: count('Processors that this run could use'),
    ownNs: ns('Processor time of the run: lab, fabric, hosts, guest, clients'),
    othersNs: ns('Processor time of everything else on this machine, its kernel included'),
    stolenNs: ns('Time that the hypervisor gave to other machines while a processor was wanted here'),
  })
  .describe(
    'Who used the processors meanwhile: figures from a machine in other use are worse than it can do',
  );

const SECURITY_SCHEMA = z
  .object({
    secure: z.boolean().describe('Whether the hosts authenticated each other and encrypted'),
    cipher: z.string().describe('Handshake and record cipher; null in clear').nullable(),
    durable: z.enum(DURABLES).describe('What the records of a switchover survived'),
    refused: z
      .record(z.string(), z.int().nonnegative())
      .describe('Links and records that both hosts turned away, by code; what did not happen is left out'),
  })
  .describe('What protected the moves');

export const RESULT_SCHEMA = z
  .object({
    schema: z.literal(RESULT_VERSION).describe('Name and version of this format'),
    label: z.enum(['measured', 'simulated']).describe('Real time on a machine, or virtual time'),
    startedAt: z.iso.datetime().describe('Wall-clock time of the start, UTC'),
    durationNs: ns('The whole run, set-up and clean-up included'),
    seed: count('Seed of every random draw'),
    revision: z.string().describe('Version of longhaul, and the git commit where it is known: 0.1.0+e3ef308'),
    machine: z.object({
      name: z.string().optional().describe('Its host name: what tells two machines of one kind apart'),
      cpu: z.string().describe('Model of the processor'),
      cores: count('Processors this process may use'),
      memoryBytes: count('Memory of the machine'),
      kernel: z.string().describe('Release of the kernel'),
      arch: z.string().describe('Instruction set'),
      node: z.string().describe('Version of Node'),
      root: z.boolean().describe('Whether it ran as root'),
      dirtyLog: z.enum(['kernel', 'soft-dirty', 'scan', 'qemu']).describe('How dirty pages were found'),
    }),
    attach: z.enum(['netns', 'loopback', 'sim']).describe('How hosts and clients hung on the fabric'),
    traceHash: z
      .string()
      .optional()
      .describe(
        'Digest of all that happened, in order: the same seed gives the same one. Only in virtual time',
      ),
    costs: z
      .object({
        source: z.string().describe('Built in, or the file and where it was measured'),
        congestion: z.string().describe('What governs the pace of the simulated links'),
        values: z.record(z.string(), z.number().nonnegative()).describe('By name, nanoseconds'),
      })
      .optional()
      .describe('What the hosts take for their steps. Only in virtual time'),
    profile: z.string().describe('Profile of the fiber'),
    experiment: EXPERIMENT_SCHEMA.describe('The experiment as it was run'),
    rtt: RTT_SCHEMA.nullable(),
    lateness: LATENESS_SCHEMA.nullable().describe('null only in virtual time'),
    fabric: FABRIC_SCHEMA.nullable(),
    migrations: z.array(MIGRATION_SCHEMA),
    peer: PEER_SCHEMA.nullable().default(null),
    processors: PROCESSORS_SCHEMA.nullable()
      .default(null)
      .describe('null in virtual time and in results that were written before it was measured'),
    security: SECURITY_SCHEMA.nullable()
      .default(null)
      .describe('null in virtual time and in results that were written before it was measured'),
    memoryPeaks: z
      .array(
        z.object({
          process: z.string().describe('host a, host b, fabric, lab'),
          peakBytes: count('Largest resident size'),
          limitBytes: count('What it may hold').nullable(),
        }),
      )
      .describe('Peak memory of each process'),
    notes: z.array(z.string()).describe('What a reader should know: fallbacks taken, limits met'),
    timeline: z
      .array(
        z.object({
          atNs: ns('When'),
          where: z.string().describe('lab, fabric, host a, host b'),
          what: z.string().describe('Event in the past tense'),
        }),
      )
      .describe('What happened, in order, on one clock'),
  })
  .describe('Result of a longhaul run');

export type { PipelineResult } from './pipeline-result.js';
export type RunResult = z.infer<typeof RESULT_SCHEMA>;
export type RttResult = z.infer<typeof RTT_SCHEMA>;
export type LatenessResult = z.infer<typeof LATENESS_SCHEMA>;
export type FabricResult = z.infer<typeof FABRIC_SCHEMA>;
export type LaneAccount = z.infer<typeof LANE_ACCOUNT_SCHEMA>;
export type BridgeAccount = z.infer<typeof BRIDGE_ACCOUNT_SCHEMA>;
export type MigrationResult = z.infer<typeof MIGRATION_SCHEMA>;
export type RoundResult = z.infer<typeof ROUND_SCHEMA>;
export type PauseParts = z.infer<typeof PAUSE_PARTS_SCHEMA>;
export type ClientResult = z.infer<typeof CLIENT_SCHEMA>;
export type RttCourse = z.infer<typeof RTT_COURSE_SCHEMA>;

/** Names of the pause's parts in the order they happen. */
export const PAUSE_PARTS = Object.keys(PAUSE_PARTS_SCHEMA.shape) as readonly (keyof PauseParts)[];

/** The parts' sum: equal to `pauseNs` within one nanosecond a part. */
export function pausePartsSum(parts: PauseParts): number {
  return PAUSE_PARTS.reduce((sum, name) => sum + parts[name], 0);
}

export type ResultErrorCode = 'LAB_RESULT_VERSION' | 'LAB_RESULT_SHAPE';

/**
 * Reads a result that came from a file.
 * @param where the name the user knows it by, for the refusal
 * @throws ConfigError `LAB_RESULT_VERSION`, `LAB_RESULT_SHAPE`
 */
export function parseResult(value: unknown, where: string): RunResult {
  const schema = (value as { schema?: unknown } | null)?.schema;
  if (schema !== RESULT_VERSION) {
    const isResult = typeof schema === 'string' && schema.startsWith('longhaul/result/');
    throw new ConfigError<ResultErrorCode>(
      'LAB_RESULT_VERSION',
      `${where} says schema ${JSON.stringify(schema) ?? 'nothing'}, this longhaul reads ${RESULT_VERSION}`,
      {
        hint: isResult
          ? `read it with the longhaul that knows ${schema}`
          : 'give a result.json that longhaul run wrote',
      },
    );
  }
  const parsed = RESULT_SCHEMA.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new ConfigError<ResultErrorCode>(
    'LAB_RESULT_SHAPE',
    `${where}: ${issue.path.join('.') || 'the file'}: ${issue.message}`,
    { details: { issues: parsed.error.issues.length }, hint: 'the file was cut or changed; run it again' },
  );
}
