/** The command line of a bench that knows nothing but `--quick` and `--out FILE`. */
import { parseArgs } from 'node:util';

/** @param command as it is typed, for the help text, which ends the process */
export function quickOrFull(command: string): { readonly quick: boolean; readonly out: string | undefined } {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      out: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(`${command} -- [--quick] [--out FILE]`);
    process.exit(0);
  }
  return { quick: values.quick, out: values.out };
}
