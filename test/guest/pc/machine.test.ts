/** Machines that misbehave, each a few bytes of hand-made image: whoever runs them goes on. */
import * as assert from 'uvu/assert';
import { judgeImage, packMachineState, unpackMachineState } from '../../../src/guest/index.js';
import { V86Machine } from '../../../src/guest/pc/index.js';
import { suite } from '../../suite.js';

const MIB = 2 ** 20;
const MEMORY = 4 * MIB;
const test = suite('guest/pc/machine');

/** A flat multiboot image whose code begins behind its header. */
function image(...code: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(32 + code.length);
  const view = new DataView(bytes.buffer);
  const flags = 0x10000;
  [0x1badb002, flags, -(0x1badb002 + flags), MIB, MIB, 0, 0, MIB + 32].forEach((word, i) => {
    view.setInt32(4 * i, word | 0, true);
  });
  bytes.set(code, 32);
  assert.ok(judgeImage(bytes, MEMORY).ok);
  return bytes;
}

async function start(
  code: readonly number[],
  onSerial: (byte: number) => void = () => {},
): Promise<V86Machine> {
  return V86Machine.start({
    memoryBytes: MEMORY,
    mac: Uint8Array.of(2, 0, 0, 0, 0, 1),
    boot: { kind: 'multiboot', image: image(...code), commandLine: '' },
    onFrame: () => {},
    onSerial,
  });
}

test('a guest that never halts lets go after a step', async () => {
  const machine = await start([0xeb, 0xfe]); // 1: jmp 1b
  for (let i = 0; i < 5; i++) assert.is(machine.step(), 0);
});

test('a guest that halts with interrupts off sleeps, and costs nothing', async () => {
  const machine = await start([0xfa, 0xf4]); // cli; hlt
  machine.step();
  assert.ok(machine.step() > 0);
});

test('a guest that faults three times over does not take its host with it', async () => {
  // lidt of six zero bytes that follow; then int3, with no table to look it up in
  const machine = await start([0x0f, 0x01, 0x1d, 0x2a, 0x00, 0x10, 0x00, 0xcc, 0xeb, 0xfe, 0, 0, 0, 0, 0, 0]);
  let threw: unknown = null;
  for (let i = 0; i < 5 && threw === null; i++) {
    try {
      machine.step();
    } catch (e) {
      threw = e;
    }
  }
  assert.ok(threw === null || threw instanceof Error);
});

test('restored over a machine that ran other code at the same place, hot code is the guest’s own', async () => {
  // mov dx, 0x3f8; mov ecx, 100000; 1: dec ecx; jnz 1b; mov al, LETTER; out dx, al; jmp to the mov of ecx
  const shouting = (letter: string): readonly number[] => [
    ...[0x66, 0xba, 0xf8, 0x03, 0xb9, 0xa0, 0x86, 0x01, 0x00, 0x49, 0x75, 0xfd],
    ...[0xb0, letter.charCodeAt(0), 0xee, 0xeb, 0xf3],
  ];
  const heard = { a: '', b: '' };
  const a = await start(shouting('A'), (byte) => {
    heard.a += String.fromCharCode(byte);
  });
  const b = await start(shouting('B'), (byte) => {
    heard.b += String.fromCharCode(byte);
  });
  const shout = (machine: V86Machine, of: 'a' | 'b', times: number): string => {
    heard[of] = '';
    for (let i = 0; i < 10_000 && heard[of].length < times; i++) machine.step();
    return [...new Set(heard[of])].join('');
  };
  assert.is(shout(a, 'a', 40), 'A');
  assert.is(shout(b, 'b', 40), 'B');
  const move = (from: V86Machine, to: V86Machine): void => {
    const room = new Uint8Array(512 * 1024);
    const state = unpackMachineState(room.subarray(0, packMachineState('m', from.save(), room)).slice(), 'm');
    assert.ok(state.ok);
    to.memory().set(from.memory());
    to.restore(state.tree);
  };
  move(a, b);
  assert.is(shout(b, 'b', 40), 'A', 'code of another guest is gone');
  move(b, a);
  assert.is(shout(a, 'a', 40), 'A', 'code of the same guest may stay');
});

test('what a guest writes to its serial port is heard', async () => {
  let heard = '';
  // mov dx, 0x3f8; mov al, 'A'; out dx, al; hlt
  const machine = await start([0x66, 0xba, 0xf8, 0x03, 0xb0, 0x41, 0xee, 0xf4], (byte) => {
    heard += String.fromCharCode(byte);
  });
  machine.step();
  assert.is(heard, 'A');
});

test('frames of any length for a guest without a driver are not delivered, and do no harm', async () => {
  const machine = await start([0xeb, 0xfe]);
  machine.step();
  assert.not(machine.takesFrames());
});

test.run();
