/** Writes `schemas/*.json` anew: `npm run build && node dist/test/lab/config/write-schemas.js`, from the project's folder. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jsonSchemas, schemaText } from '../../../src/lab/config/json-schemas.js';

mkdirSync('schemas', { recursive: true });
for (const [file, schema] of Object.entries(jsonSchemas())) {
  writeFileSync(join('schemas', file), schemaText(schema));
  process.stdout.write(`schemas/${file}\n`);
}
