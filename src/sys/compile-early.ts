/**
 * V8 compiles a function for speed when it has run long enough, on threads of its own beside the one that waits for the
 * result: in the middle of what is to be quick, where it was not used enough before. What is run to be compiled is run
 * under a smaller budget. https://nodejs.org/api/v8.html#v8setflagsfromstringflags
 */
import { setFlagsFromString } from 'node:v8';

/** Bytes of bytecode that a function runs before V8 looks whether it is hot; 67,584 is what V8 has by itself. */
const FLAG = '--interrupt-budget';
const EARLY = 8_192;
const USUAL = 67_584;

/** Runs `work`; what it calls often enough is compiled eight times as early. Of all threads of the process. */
export function compilingEarly<T>(work: () => T): T {
  setFlagsFromString(`${FLAG}=${EARLY}`);
  try {
    return work();
  } finally {
    setFlagsFromString(`${FLAG}=${USUAL}`);
  }
}
