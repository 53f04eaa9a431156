/** The other end of a QMP channel, for tests: says what a test tells it to, and keeps what it was told. */
import { Duplex } from 'node:stream';

class End extends Duplex {
  peer: End | null = null;
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.peer?.push(chunk);
    done();
  }
  override _destroy(_error: Error | null, done: (e: Error | null) => void): void {
    if (this.peer?.destroyed === false) this.peer.destroy();
    done(null);
  }
}

export interface Command {
  readonly execute: string;
  readonly arguments: Record<string, unknown>;
  readonly id: number;
}

export class FakeQemu {
  /** What the client is given. */
  readonly stream: Duplex;
  readonly commands: Command[] = [];
  /** Answers a command; what it returns is sent, undefined is nothing. */
  answer: (command: Command) => unknown = ({ id }) => ({ return: {}, id });
  readonly #end: End;

  constructor() {
    const near = new End();
    const far = new End();
    near.peer = far;
    far.peer = near;
    this.stream = near;
    this.#end = far;
    let text = '';
    far.on('data', (bytes: Buffer) => {
      text += bytes.toString('utf8');
      const lines = text.split('\n');
      text = lines.pop()!;
      for (const line of lines) {
        const command = JSON.parse(line) as Command;
        this.commands.push(command);
        const said = this.answer(command);
        if (said !== undefined) this.say(said);
      }
    });
  }

  say(message: unknown): void {
    this.#end.write(`${JSON.stringify(message)}\r\n`);
  }

  raw(bytes: Uint8Array | string): void {
    this.#end.write(bytes);
  }

  hangUp(): void {
    this.#end.destroy();
  }
}

export const GREETING = {
  QMP: {
    version: { qemu: { micro: 22, minor: 2, major: 7 }, package: 'Debian 1:7.2+dfsg-7+deb12u18' },
    capabilities: ['oob'],
  },
};
