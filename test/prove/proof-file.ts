/** The result of a proof: the form of `bench/figures.ts`, with counts that are exact and therefore have no spread. */
import { writeFileSync } from 'node:fs';
import { revision } from '../../src/lab/machine.js';

export interface ProofFigure {
  readonly value: number;
  readonly unit: string;
}

/** Writes the figures by name, with the revision and the arguments that give them again. */
export function writeProof(path: string, figures: ReadonlyMap<string, ProofFigure>): void {
  const result = {
    schema: 'longhaul/bench/1',
    bench: 'prove',
    revision: revision(),
    node: process.version,
    arguments: process.argv.slice(2),
    figures: [...figures].map(([name, { value, unit }]) => ({ name, value, unit, n: 1, label: 'simulated' })),
  };
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
}
