/** A stream that keeps what was written, and says whether it is a terminal. */
import { Writable } from 'node:stream';

export interface FakeStream {
  readonly stream: NodeJS.WriteStream;
  text(): string;
}

export function fakeStream(isTTY = false): FakeStream {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  return {
    stream: Object.assign(stream, { isTTY, columns: 100 }) as unknown as NodeJS.WriteStream,
    text: () => text,
  };
}
