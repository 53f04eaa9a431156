/**
 * An experiment, resolved: every quantity a plain number in the unit its name says, every default
 * filled in, every range checked. It is what the lab runs and what the result file keeps, so it is
 * JSON: no `Infinity` (an unlimited rate is `null`), no `undefined` where a value is required.
 *
 *   YAML file ─┐
 *              ├─► experiment-keys (what may be said) ─► resolve-experiment ─► Experiment ─► run
 *   options ───┘
 *
 * Left out on purpose: how a person writes it (`experiment-keys.ts`).
 */
import { z } from 'zod';
import { LANE_SCHEMA, TIMELINE_SCHEMA } from './lane-schema.js';
import { KERNELS_SUPER_FRAME_BYTES } from './super-frames.js';

const ns = (text: string) => z.int().nonnegative().describe(`${text}, nanoseconds`);
const count = (text: string) => z.int().nonnegative().describe(text);

export const ATTACHES = ['auto', 'netns', 'loopback', 'sim'] as const;
export const GUEST_KINDS = ['workload', 'pc', 'linux'] as const;
export const FILLS = ['zero', 'text', 'random', 'mix'] as const;
export const DIRTY_MODELS = ['idle', 'sweep', 'uniform', 'zipf'] as const;
export const QOS = ['guest-first', 'none'] as const;
export const SPINS = ['deadline', 'always', 'never'] as const;
export const DURABLES = ['process', 'disk'] as const;
export const MODES = ['precopy', 'postcopy', 'hybrid'] as const;
export const TRANSPORTS = ['auto', 'tcp', 'udp'] as const;
export const CONGESTIONS = ['auto', 'bbr', 'cubic', 'fixed'] as const;
/** Phases of a move in which the fiber can be cut. */
export const CUT_PHASES = ['precopy', 'switchover', 'postcopy'] as const;
/** Points of a move at which a test may send a host a signal (host/named-points.ts). */
export const NAMED_POINTS = [
  'before-commit',
  'after-commit',
  'final-sent',
  'started-heard',
  'ended-recorded',
  'final-heard',
  'before-running',
  'after-running',
  'guest-started',
  'started-sent',
  'before-never',
  'after-never',
] as const;
export const SIGNALS = ['SIGKILL', 'SIGSTOP'] as const;
export const SWITCHES = ['on', 'off', 'auto'] as const;
export const SITES = ['a', 'b'] as const;
export const DIRECTIONS = ['a-b', 'b-a'] as const;

export type Site = (typeof SITES)[number];
export type Direction = (typeof DIRECTIONS)[number];

export const DIRTY_SCHEMA = z
  .object({
    model: z.enum(DIRTY_MODELS).describe('How the guest chooses the pages it writes'),
    pagesPerS: z.number().nonnegative().describe('Pages written per second (50MB/s is 50e6 / 4096)'),
    hotSetBytes: count('Size of the range that is written; the whole memory when equal to it'),
    skew: z.number().nonnegative().describe('Exponent of the zipf model; 0 for the others'),
  })
  .describe('How the guest dirties its memory');

export const CLIENT_SCHEMA = z.object({
  site: z.enum(SITES).describe('Where the client stands; it does not move'),
  icmpIntervalNs: ns('Time between two echo requests').nullable(),
  serviceIntervalNs: ns('Time between two requests to the service').nullable(),
});

export const EXPERIMENT_SCHEMA = z.object({
  name: z.string().describe('What people call it'),
  seed: count('Seed of every random draw'),
  attach: z
    .enum(ATTACHES)
    .describe('How hosts and clients hang on the fabric; auto takes the best available, sim is virtual time'),
  fiber: z.object({
    profile: z.string().describe('The named profile it began from'),
    spans: z
      .array(z.object({ aToB: LANE_SCHEMA, bToA: LANE_SCHEMA }))
      .min(1)
      .describe('Spans in a row, site A first'),
    timeline: TIMELINE_SCHEMA.default([]),
  }),
  guest: z.object({
    kind: z
      .enum(GUEST_KINDS)
      .describe('A model that writes memory, an x86 machine, or one that has booted Linux'),
    image: z.string().nullable().default(null).describe('Multiboot image of a machine; null for metal'),
    cmdline: z.string().default('').describe('More for the machine’s command line'),
    memoryBytes: count('Guest memory, bytes; a multiple of 4096'),
    fill: z.enum(FILLS).describe('What the memory holds before the guest runs'),
    dirty: DIRTY_SCHEMA,
    mac: z.string().describe('MAC address of the guest'),
    ip: z.string().describe('IPv4 address of the guest'),
  }),
  clients: z.array(CLIENT_SCHEMA).describe('Sessions held with the guest across the move'),
  probe: z
    .object({
      count: count('Echo requests between the sites before the first move'),
      intervalNs: ns('Time between two of them'),
    })
    .describe('The measurement of the round trip through the fiber'),
  migration: z.object({
    repeat: count('Moves of the same guest: A to B, B to A, …'),
    mode: z
      .enum(MODES)
      .describe('Memory moves before the switchover, after it, or before and the rest after'),
    slowGuest: z.boolean().describe('Whether the guest may be slowed when rounds do not converge'),
    transport: z
      .enum(TRANSPORTS)
      .default('auto')
      .describe('What carries memory; auto is TCP where hosts have a kernel network, else UDP'),
    congestion: z
      .enum(CONGESTIONS)
      .default('auto')
      .describe('How fast it may go; auto is the kernel’s own with TCP, BBR with UDP'),
    rateBps: z
      .number()
      .positive()
      .nullable()
      .default(null)
      .describe('Upper limit of what the moves put on the wire, bits per second; null when unlimited'),
    fec: z.boolean().default(true).describe('Whether parity covers the flight that ends the pause; UDP only'),
    compress: z.enum(SWITCHES).default('auto').describe('Pages travel compressed; auto: where it pays'),
    delta: z
      .enum(SWITCHES)
      .default('auto')
      .describe('Pages travel as what changed since they were sent before; auto: where it pays'),
    dedup: z
      .enum(SWITCHES)
      .default('auto')
      .describe('Pages travel as the number of one that holds the same; auto: where it pays'),
    streams: count('TCP streams that carry pages'),
    pauseTargetNs: ns('Pre-copy stops when the predicted pause is at most this'),
    maxRounds: count('Pre-copy rounds before the switchover is made regardless'),
    limitNs: ns('Longest pre-copy before the move is given up and the guest stays'),
    cut: z
      .object({
        phase: z.enum(CUT_PHASES).describe('When'),
        durationNs: ns('For how long'),
      })
      .nullable()
      .default(null)
      .describe('The fiber is down, both ways, once in each move'),
    doubtNs: ns('How long a run waits for a doubt to be settled').default(30_000_000_000),
    qos: z.enum(QOS).describe('Whether guest and client frames go ahead of vMotion at the fiber'),
    secure: z.boolean().default(false).describe('Whether the hosts authenticate and encrypt'),
    durable: z.enum(DURABLES).default('process').describe('What the records of a switchover survive'),
    memoryBacking: z
      .string()
      .nullable()
      .default(null)
      .describe('Folder on tmpfs with the files that guest memory is; null for private memory'),
    verify: z.boolean().default(true).describe('Whether memory is compared page by page after a move'),
    startAfterNs: ns('Time from the first client session to the first move'),
    betweenNs: ns('Time between two moves'),
  }),
  background: z
    .array(
      z.object({
        direction: z.enum(DIRECTIONS),
        rateBps: z.number().positive().describe('Offered rate on the wire, bits per second'),
        frameBytes: count('Frame length without FCS, bytes'),
      }),
    )
    .describe('Other traffic offered to the fiber'),
  superFrameBytes: count(
    'Longest super-frame of a station’s TCP, bytes; packets are those of the MTU',
  ).default(KERNELS_SUPER_FRAME_BYTES),
  spin: z.enum(SPINS).describe('When the fabric spins rather than sleeps: just before a deadline, …'),
  keep: z.boolean().describe('Leave both sites standing after the moves until interrupted'),
  outDir: z.string().nullable().describe('Directory for result.json; null for one named by the time'),
  testHooks: z
    .object({
      corruptPage: count('Flip a byte of this pfn in flight, in the last round that carries it').optional(),
      signalAt: z
        .object({ site: z.enum(SITES), point: z.enum(NAMED_POINTS), signal: z.enum(SIGNALS) })
        .describe('A host gets this signal when it passes this point of the move')
        .optional(),
      hidePage: count('Keep this pfn out of every harvest, as a faulty dirty log would').optional(),
    })
    .optional()
    .describe('Deliberate faults, for tests only'),
});

/** A fully resolved experiment. Plain JSON: it is stored with its result. */
export type Experiment = z.infer<typeof EXPERIMENT_SCHEMA>;
export type { LaneConfig } from './lane-schema.js';
export type DirtySpec = z.infer<typeof DIRTY_SCHEMA>;
export type ClientSpec = z.infer<typeof CLIENT_SCHEMA>;
