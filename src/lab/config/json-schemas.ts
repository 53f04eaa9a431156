/**
 * The formats as JSON Schema (draft 2020-12), made from the schemas that read them: for editors that
 * complete and check YAML, and for programs in other languages that read results.
 */
import { z } from 'zod';
import { BRIDGE_KEYS } from '../bridge/keys.js';
import { COSTS_FILE_SCHEMA, COSTS_VERSION } from '../calibration/costs-file.js';
import { RESULT_SCHEMA, RESULT_VERSION } from '../result.js';
import { EXPERIMENT_KEYS } from './experiment-keys.js';
import { PROFILE_KEYS } from './fiber-schema.js';

/** File name under `schemas/` → schema. The committed files are these, and a test says so. */
export function jsonSchemas(): Readonly<Record<string, object>> {
  return {
    'experiment.schema.json': {
      title: 'longhaul experiment',
      ...z.toJSONSchema(EXPERIMENT_KEYS, { io: 'input' }),
    },
    'bridge.schema.json': { title: 'longhaul bridge', ...z.toJSONSchema(BRIDGE_KEYS, { io: 'input' }) },
    'profile.schema.json': {
      title: 'longhaul fiber profile',
      ...z.toJSONSchema(PROFILE_KEYS, { io: 'input' }),
    },
    'costs.schema.json': { title: COSTS_VERSION, ...z.toJSONSchema(COSTS_FILE_SCHEMA, { io: 'input' }) },
    // The input side: readers ignore fields that a later minor change adds.
    'result.schema.json': { title: RESULT_VERSION, ...z.toJSONSchema(RESULT_SCHEMA, { io: 'input' }) },
  };
}

/** The text of a schema's file. */
export function schemaText(schema: object): string {
  return `${JSON.stringify(schema, null, 2)}\n`;
}
