/** What a result says of a move that another migrator made. Part of the result's schema. */
import { z } from 'zod';

const ns = (text: string) => z.number().nonnegative().describe(`${text}, nanoseconds`);
const count = (text: string) => z.int().nonnegative().describe(text);

export const PEER_SCHEMA = z
  .object({
    name: z.literal('qemu').describe('Who moved the guest'),
    version: z.string().describe('Its version'),
    accelerator: z.enum(['tcg', 'kvm']).describe('How it ran the guest: emulated, or on the processor'),
    image: z.string().describe('What the guest booted'),
    parameters: z.string().describe("The guest's command line"),
    mode: z.enum(['precopy', 'multifd', 'postcopy']).describe('How it was told to migrate'),
    channels: count('Connections that carried pages with multifd'),
    downtimeLimitNs: ns('The pause that its pre-copy aimed at'),
    bandwidthBps: z.number().positive().nullable().describe('Most that it might send; null when unlimited'),
    congestion: z.string().describe('Congestion control of its TCP'),
  })
  .describe('Another migrator made the moves; null when our own hosts did');

export const QEMU_MOVE_SCHEMA = z
  .object({
    status: z.string().describe('Its own word for the end'),
    totalNs: ns('Its own total time').nullable(),
    setupNs: ns('Its own set-up time').nullable(),
    downtimeNs: ns('Its own downtime, whole milliseconds, ended at the source').nullable(),
    stopToResumeByStampNs: z
      .number()
      .nullable()
      .describe(
        "From the source's STOP to the destination's RESUME by QEMU's own stamps of the wall clock, nanoseconds",
      ),
    transferredBytes: count('Bytes that it counts as sent'),
    normalPages: count('Pages sent with content'),
    duplicatePages: count('Pages of one byte value, sent as a header'),
    dirtySyncs: count('Times that it collected dirty pages'),
    downtimeBytes: count('Bytes that it sent while the guest stood'),
    postcopyBytes: count('Bytes that it sent after the switchover'),
    postcopyRequests: count('Pages that the destination asked for'),
    segmentsSent: count("TCP segments that the source's site sent in the move").nullable(),
    segmentsResent: count('Of these, sent again').nullable(),
  })
  .describe("QEMU's own figures of the move; pauseNs is STOP to RESUME as their events were read by the run");

export type PeerResult = z.infer<typeof PEER_SCHEMA>;
export type QemuMoveResult = z.infer<typeof QEMU_MOVE_SCHEMA>;
