/** Writes the sample captures and beside each its expected decode: run it after a change of scenes.ts or of `capture show`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CAPTURES, decodeOf } from './expected.js';
import { SCENES, writeScene } from './scenes.js';

mkdirSync(CAPTURES, { recursive: true });
for (const scene of SCENES) {
  const path = join(CAPTURES, `${scene.name}.pcapng`);
  writeScene(scene, path);
  writeFileSync(join(CAPTURES, `${scene.name}.txt`), await decodeOf(path));
}
