/**
 * What a person may say about an experiment: the keys of the YAML file, which are also the objects
 * `experimentFrom` takes and, one by one, the options of `longhaul run`. Quantities are text with a
 * unit (`80km`, `400us`, `10Gbit`, `256MiB`); what is not said has the default of the first
 * experiment: 256 MiB, mixed fill, `uniform:50MB/s`, `metro-80km`, a pause target of 1 ms.
 *
 * `schemas/experiment.schema.json` is made from this schema's input side, for editors.
 */
import { z } from 'zod';
import { parseDuration, parseRate, parseSize } from '../../core/index.js';
import { parseCut } from './cut-spec.js';
import { DEFAULT_DIRTY_RATE, parseDirty } from './dirty-spec.js';
import {
  ATTACHES,
  CONGESTIONS,
  DIRECTIONS,
  DURABLES,
  FILLS,
  GUEST_KINDS,
  MODES,
  NAMED_POINTS,
  QOS,
  SIGNALS,
  SITES,
  SPINS,
  SWITCHES,
  TRANSPORTS,
} from './experiment.js';
import { FIBER_KEYS } from './fiber-keys.js';
import {
  address,
  integer,
  interval,
  parseDecimal,
  quantity,
  quantityOr,
  read,
  UNICAST_IPV4,
  UNICAST_MAC,
} from './key-kinds.js';

const ON_OFF = ['on', 'off'] as const;

export const EXPERIMENT_KEYS = z
  .strictObject({
    name: z.string().max(80).default('').describe('What people call it'),
    seed: integer(0, 0xffffffff, 'Seed of every random draw').prefault(1),
    attach: z
      .enum(ATTACHES)
      .default('auto')
      .describe('How hosts and clients hang on the fabric; sim: virtual time'),
    fiber: FIBER_KEYS.prefault({}),
    guest: z
      .strictObject({
        kind: z
          .enum(GUEST_KINDS)
          .default('workload')
          .describe(
            'workload: a model that writes memory; pc: an x86 machine with a TCP stack of its own; linux: one with Linux',
          ),
        image: z
          .string()
          .min(1)
          .max(1024)
          .optional()
          .describe('Multiboot image that a machine boots; metal, which comes with longhaul, by default'),
        cmdline: z
          .string()
          .max(1024)
          .default('')
          .describe('More for the machine’s command line; what is said last counts'),
        memory: quantity(parseSize, '1MiB', '4GiB', 'Memory of the guest; 64MiB for a machine').optional(),
        fill: z.enum(FILLS).default('mix').describe('What the memory holds at first'),
        dirty: read(parseDirty, 'What the guest writes: MODEL[:RATE]').prefault(
          `uniform:${DEFAULT_DIRTY_RATE}`,
        ),
        'hot-set': quantity(
          parseSize,
          '4KiB',
          '4GiB',
          'Range that is written; all memory by default',
        ).optional(),
        skew: read(
          (value, option) =>
            parseDecimal(value, option, 0, 4, '0 is even, 1 the usual zipf, 4 hardly leaves the first pages'),
          'Exponent of the zipf model (0..4)',
        ).prefault(1),
        mac: address(
          'a unicast MAC address',
          UNICAST_MAC,
          '02:4c:48:00:00:10',
          'MAC address of the guest',
        ).prefault('02:4c:48:00:00:10'),
        ip: address(
          'a unicast IPv4 address',
          UNICAST_IPV4,
          '10.80.0.10',
          'IPv4 address of the guest, in 10.80.0.0/24 with the clients',
        ).prefault('10.80.0.10'),
      })
      .prefault({})
      .describe('The guest that moves'),
    clients: z
      .array(
        z.strictObject({
          site: z.enum(SITES).describe('Where it stands'),
          icmp: interval('1ms', '10s', 'Time between echo requests').prefault('10ms'),
          service: interval('100us', '10s', 'Time between requests to the service').prefault('1ms'),
        }),
      )
      .max(16)
      .prefault([{ site: 'a' }, { site: 'b' }])
      .describe('Clients that hold sessions with the guest'),
    probe: z
      .strictObject({
        count: integer(10, 100_000, 'Echo requests between the sites before the first move').prefault(250),
        interval: quantity(parseDuration, '100us', '1s', 'Time between two of them').prefault('2ms'),
      })
      .prefault({})
      .describe('The measurement of the round trip'),
    migration: z
      .strictObject({
        repeat: integer(0, 1000, 'Moves of the same guest, there and back').prefault(1),
        mode: z
          .enum(MODES)
          .default('hybrid')
          .describe('When memory moves: before the switchover, after it, or both'),
        'slow-guest': z
          .boolean()
          .default(false)
          .describe('Slow the guest in steps when rounds do not converge'),
        transport: z
          .enum(TRANSPORTS)
          .default('auto')
          .describe(
            'What carries memory: TCP, or a UDP transport of our own; auto is TCP with netns, else UDP',
          ),
        congestion: z
          .enum(CONGESTIONS)
          .default('auto')
          .describe('Congestion control; auto is the kernel’s own with TCP, BBR with UDP; fixed is the rate'),
        rate: quantityOr(
          'unlimited',
          null,
          parseRate,
          '1Mbit',
          '100Gbit',
          'Upper limit of what the moves put on the wire',
        ).prefault('unlimited'),
        fec: z
          .enum(['on', 'off'])
          .default('on')
          .describe('Parity over the flight that ends the pause; UDP only'),
        compress: z.enum(SWITCHES).default('auto').describe('Compress pages; auto: while it pays'),
        delta: z
          .enum(SWITCHES)
          .default('auto')
          .describe('Send what changed of pages that were sent before; auto: while it pays'),
        dedup: z
          .enum(SWITCHES)
          .default('auto')
          .describe('Send pages that the destination holds elsewhere as a number; auto: while it pays'),
        streams: integer(1, 16, 'TCP streams that carry pages').prefault(1),
        'pause-target': quantity(
          parseDuration,
          '100us',
          '10s',
          'Pre-copy stops when the predicted pause is at most this',
        ).prefault('1ms'),
        'max-rounds': integer(1, 1000, 'Pre-copy rounds at most').prefault(30),
        limit: quantity(parseDuration, '1s', '24h', 'Pre-copy at most; then the guest stays').prefault(
          '2min',
        ),
        cut: read(parseCut, 'Cut the fiber in the middle of each move: TIME@PHASE').optional(),
        doubt: quantity(
          parseDuration,
          '0s',
          '24h',
          'How long the run waits for a doubt to be settled',
        ).prefault('30s'),
        qos: z.enum(QOS).default('guest-first').describe('Which frames go first at the fiber'),
        insecure: z
          .boolean()
          .default(false)
          .describe('Hosts neither authenticate nor encrypt: guest memory crosses the link in clear'),
        durable: z
          .enum(DURABLES)
          .default('process')
          .describe('What the records of a switchover survive: the end of the process, or of the machine'),
        'memory-backing': z
          .string()
          .min(1)
          .max(1024)
          .optional()
          .describe('Folder on tmpfs for the guest’s memory, which then survives the host’s process'),
        verify: z.enum(ON_OFF).default('on').describe('Compare all memory page by page after each move'),
        'start-after': quantity(parseDuration, '0s', '1h', 'Time before the first move').prefault('500ms'),
        between: quantity(parseDuration, '0s', '1h', 'Time between two moves').prefault('500ms'),
      })
      .prefault({})
      .describe('The moves'),
    background: z
      .array(
        z.strictObject({
          direction: z
            .enum([...DIRECTIONS, 'both'])
            .default('both')
            .describe('Which way it goes'),
          rate: quantity(parseRate, '1kbit', '100Gbit', 'Offered rate on the wire'),
          frame: quantity(parseSize, '60B', '9014B', 'Frame length without FCS').prefault('1514B'),
        }),
      )
      .max(16)
      .default([])
      .describe('Other traffic on the fiber'),
    'super-frame': quantity(
      parseSize,
      '4KiB',
      '256KiB',
      'Longest super-frame of a station’s TCP; left out, what the fiber carries whole, 64KiB at least',
    ).optional(),
    spin: z.enum(SPINS).default('deadline').describe('When the fabric spins rather than sleeps'),
    keep: z.boolean().default(false).describe('Leave both sites standing until Ctrl-C'),
    out: z.string().min(1).optional().describe('Directory for result.json'),
    'test-hooks': z
      .strictObject({
        'corrupt-page': integer(0, 2 ** 20 - 1, 'Flip a byte of this page in flight').optional(),
        'signal-at': z
          .strictObject({ site: z.enum(SITES), point: z.enum(NAMED_POINTS), signal: z.enum(SIGNALS) })
          .optional()
          .describe('Send a host this signal when it passes this point of the move'),
        'hide-page': integer(0, 2 ** 20 - 1, 'Keep this page out of every harvest').optional(),
      })
      .optional()
      .describe('Deliberate faults, for tests only'),
  })
  .describe('A longhaul experiment');

/** What a file or a program may say. */
export type ExperimentInput = z.input<typeof EXPERIMENT_KEYS>;
/** The same, read: numbers in base units, defaults filled in; not yet resolved against profiles. */
export type ExperimentKeys = z.output<typeof EXPERIMENT_KEYS>;
