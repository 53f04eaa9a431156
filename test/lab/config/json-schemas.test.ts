import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { jsonSchemas, schemaText } from '../../../src/lab/config/json-schemas.js';
import { suite } from '../../suite.js';

const test = suite('lab/config/json-schemas');

for (const [file, schema] of Object.entries(jsonSchemas())) {
  test(`schemas/${file} is up to date`, () => {
    const remedy = 'write it anew: npm run build && node dist/test/lab/config/write-schemas.js';
    assert.is(readFileSync(`schemas/${file}`, 'utf8'), schemaText(schema), remedy);
  });
}

test.run();
