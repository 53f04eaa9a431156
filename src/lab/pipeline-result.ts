/** What the page pipeline did in one move, as the result file has it. */
import { z } from 'zod';
import type { SourceReport } from '../host/index.js';

const count = (text: string) => z.int().nonnegative().describe(text);

const technique = (text: string) =>
  z
    .object({
      tried: count('Pages it was tried on'),
      hits: count('Pages that travelled by it'),
      savedBytes: count('Bytes of those pages less what they took in their place'),
      cpuNs: z
        .number()
        .nonnegative()
        .describe('Time that the tries took, estimated from those timed, nanoseconds'),
    })
    .describe(text);

export const PIPELINE_SCHEMA = z
  .object({
    codec: z.string().nullable().describe('What both hosts agreed to compress with; null for nothing'),
    pages: count('Pages sent over all rounds, in the pause and after it, each send counted'),
    bytes: count('What they took, without the headers of records'),
    pagesByEncoding: z
      .object({
        raw: count('As they are'),
        zero: count('All zero: as a number'),
        same: count('As the number of a page that the destination held'),
        delta: count('As what had changed since they were sent before'),
        compressed: count('As a block of the codec'),
      })
      .describe('They sum to pages'),
    zero: technique(
      'Pages that are all zero; found by the hash that every page gets, which costs nothing more',
    ),
    dedup: technique(
      'Pages whose content the destination held elsewhere; each hit compared by content, and again there',
    ),
    delta: technique('Pages of which the destination held an earlier version'),
    compress: technique('Pages given to the codec'),
    misses: count('Pages that the destination could not make of what came, and that went once more'),
    cpuNs: z.number().nonnegative().describe('Time that all tries took, nanoseconds'),
    memoryBytes: count('Memory that it kept versions and contents in'),
  })
  .describe('The page pipeline at the source: 4096 · pages = bytes + Σ savedBytes');

export type PipelineResult = z.infer<typeof PIPELINE_SCHEMA>;

export function pipelineResult(report: SourceReport['pipeline']): PipelineResult | null {
  if (report === null) return null;
  const { codec, pages, bytes, pagesByEncoding, zero, dedup, delta, compress, misses, memoryBytes } = report;
  const figures = ({ tried, hits, savedBytes, cpuNs }: typeof zero) => ({ tried, hits, savedBytes, cpuNs });
  return {
    codec,
    pages,
    bytes,
    pagesByEncoding: { ...pagesByEncoding },
    zero: figures(zero),
    dedup: figures(dedup),
    delta: figures(delta),
    compress: figures(compress),
    misses,
    cpuNs: zero.cpuNs + dedup.cpuNs + delta.cpuNs + compress.cpuNs,
    memoryBytes,
  };
}
