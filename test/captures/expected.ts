/** What `longhaul capture show` says of a capture: the expected decode that stands beside each sample. */
import { fileURLToPath } from 'node:url';
import { openCapture } from '../../src/capture/files/index.js';
import { captureShow } from '../../src/cli/capture-show.js';

export const CAPTURES = fileURLToPath(new URL('../../../captures/', import.meta.url));

export async function decodeOf(path: string): Promise<string> {
  let text = '';
  const out = (more: string): void => {
    text += more;
  };
  await captureShow(path, {}, { out, colour: false, openCapture });
  return text;
}
