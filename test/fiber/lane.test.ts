/** A lane by exact nanoseconds. 1538 wire bytes take 1230.4 ns at 10 Gbit/s, 12 304 at 1 Gbit/s. */
import * as assert from 'uvu/assert';
import { Rng, WOKE } from '../../src/core/index.js';
import {
  accountingCloses,
  type Candidate,
  Lane,
  type LaneAction,
  type LaneEvent,
  type LaneSettings,
  type LossModel,
  type QueueDiscipline,
} from '../../src/fiber/index.js';
import { suite } from '../suite.js';
import { FULL, LANE, offer, type Shape, SMALL } from './traffic.js';

const test = suite('fiber/lane');
const G1 = { ...LANE, rateBps: 1e9 };
const SUPER: Shape = { packets: 4, packetBytes: 1538, lastBytes: 138 };

/** A script: give events at instants, expect what is ordered, and then nothing more. */
class Script {
  readonly lane: Lane;
  #ordered: LaneAction[] = [];

  constructor(settings: LaneSettings, parts: { loss?: LossModel; queue?: QueueDiscipline } = {}) {
    this.lane = new Lane(settings, new Rng('lane test'), parts);
  }

  at(nowNs: number, ...events: LaneEvent[]): this {
    for (const event of events) {
      this.lane.step(nowNs, event, this.#ordered);
      assert.ok(accountingCloses(this.lane.counters()), 'accounting closes');
    }
    return this;
  }

  /** `3@401230` is frame 3 delivered due then, `3-[0,2]@…` without those packets, `3!loss` a drop. */
  expect(...wanted: string[]): this {
    const got = this.#ordered.map((a) => {
      if (a.type === 'drop') return `${a.frame.start}!${a.reason}`;
      return `${a.frame.start}${a.lost ? `-[${a.lost}]` : ''}@${a.dueNs}`;
    });
    assert.equal(got, wanted);
    this.#ordered = [];
    return this;
  }

  wakes(atNs: number): this {
    assert.is(this.lane.nextWakeNs(), atNs);
    return this;
  }

  end(): void {
    this.wakes(Number.POSITIVE_INFINITY).at(1e12, WOKE).expect();
    const { queued, inFlight } = this.lane.counters();
    assert.equal([queued.packets, inFlight.packets], [0, 0]);
  }
}

/** Loses the packets at these positions of all that are sent. */
function losing(...positions: number[]): LossModel {
  let sent = 0;
  return {
    hits(packets, out) {
      for (let i = 0; i < packets; i++, sent++) if (positions.includes(sent)) out.push(i);
    },
  };
}

test('one frame takes its serialisation and the glass, rounded up', () => {
  new Script(LANE)
    .at(1000, offer(1))
    .expect()
    .wakes(1000 + 1231 + 400_000)
    .at(402_230, WOKE)
    .expect()
    .at(402_231, WOKE)
    .expect('1@402231')
    .end(); // 1000 + 1230.4 + 400 000
});

test('frames back to back carry the fraction of a nanosecond', () => {
  new Script(LANE)
    .at(0, offer(1), offer(2), offer(3), offer(4), offer(5))
    .wakes(401_231)
    .at(500_000, WOKE)
    .expect('1@401231', '2@402461', '3@403692', '4@404922', '5@406152')
    .end();
});

test('a late wake-up delays nobody behind', () => {
  new Script(G1).at(0, offer(1)).at(5_000, offer(2)).at(900_000, WOKE).expect('1@412304', '2@424608').end();
});

test('a frame offered before the wake-up that was due starts when the transmitter came free', () => {
  // Offered at 12 000, while frame 1 is sent until 12 304; the next step is only at 50 000.
  new Script(G1)
    .at(0, offer(1))
    .at(12_000, offer(2))
    .at(50_000, offer(3))
    .at(900_000, WOKE)
    .expect('1@412304', '2@424608', '3@462304')
    .end();
});

test('a frame the driver learned of late is sent from when it came, after what came before it', () => {
  new Script(G1)
    .at(50_000, { ...offer(1), enteredNs: 1_000 }, { ...offer(2), enteredNs: 2_000 })
    .at(60_000, { ...offer(3), enteredNs: 55_000 })
    .at(900_000, WOKE)
    .expect('1@413304', '2@425608', '3@467304')
    .end();
});

test('class 0 goes before class 1 that waits, and lets the frame on the transmitter finish', () => {
  new Script(G1)
    .at(0, offer(1, 1), offer(2, 1), offer(3, 1))
    .at(100, offer(4, 0))
    .at(13_000, offer(5, 0))
    .at(900_000, WOKE)
    .expect('1@412304', '4@424608', '5@436912', '2@449216', '3@461520')
    .end();
});

test('class 0 offered just as the transmitter comes free goes first', () => {
  new Script(G1)
    .at(0, offer(1, 1), offer(2, 1))
    .at(12_304, offer(3, 0))
    .at(900_000, WOKE)
    .expect('1@412304', '3@424608', '2@436912')
    .end();
});

test('a wake-up at the instant the transmitter comes free does not decide for the frame offered then', () => {
  new Script(G1)
    .at(0, offer(1, 1), offer(2, 1))
    .at(12_304, WOKE, offer(3, 0))
    .at(900_000, WOKE)
    .expect('1@412304', '3@424608', '2@436912')
    .end();
});

test('class 0 offered a nanosecond after that waits', () => {
  new Script(G1)
    .at(0, offer(1, 1), offer(2, 1))
    .at(12_305, offer(3, 0))
    .at(900_000, WOKE)
    .expect('1@412304', '2@424608', '3@436912')
    .end();
});

test('a super-frame arrives with its last packet', () => {
  // 3 × 1538 + 138 = 4752 bytes
  new Script(G1)
    .at(0, offer(1, 0, SUPER))
    .wakes(438_016)
    .at(438_016, WOKE)
    .expect('1@438016')
    .end();
});

test('an unlimited rate without delay passes frames in the same step', () => {
  const straight = { ...LANE, rateBps: Number.POSITIVE_INFINITY, oneWayNs: 0 };
  new Script(straight).at(7, offer(1), offer(2, 1), offer(3)).expect('1@7', '2@7', '3@7').end();
});

test('without delay a frame is due when its last bit leaves', () => {
  new Script({ ...G1, oneWayNs: 0 }).at(0, offer(1)).wakes(12_305).at(12_305, WOKE).expect('1@12304').end();
});

test('a delay lowered while running reorders nothing', () => {
  new Script(G1)
    .at(0, offer(1))
    .at(20_000, { type: 'changed', set: { oneWayNs: 1_000 } })
    .at(30_000, offer(2))
    .at(450_000, offer(3))
    .at(500_000, WOKE)
    .expect('1@412304', '2@412304', '3@463304')
    .end();
});

test('a change applies to what comes after it', () => {
  const faster = { type: 'changed', set: { rateBps: 10e9, oneWayNs: 100_000 } } as const;
  // Frame 1 is on the transmitter: it ends at the old rate and crosses with the new delay.
  new Script(G1)
    .at(0, offer(1), offer(2))
    .at(5_000, faster)
    .at(900_000, WOKE)
    .expect('1@112304', '2@113535')
    .end();
});

test('drop-tail takes what fits in bytes, each class in a queue of its own', () => {
  const tight = { ...G1, queueBytes: 2 * 1538 };
  const script = new Script(tight)
    .at(0, offer(1, 1), offer(2, 1), offer(3, 1), offer(4, 1))
    .expect('4!queue-full')
    .at(0, offer(5, 0), offer(6, 0), offer(7, 0))
    .expect('7!queue-full')
    .at(0, offer(8, 0, SMALL))
    .expect('8!queue-full');
  assert.is(script.lane.counters().queuePeakBytes, 2 * 1538);
  script.at(900_000, WOKE).expect('1@412304', '5@424608', '6@436912', '2@449216', '3@461520').end();
});

test('drop-tail takes what fits in frames', () => {
  new Script({ ...G1, queueFrames: 1 })
    .at(0, offer(1), offer(2, 0, SMALL), offer(3, 0, SMALL))
    .expect('3!queue-full')
    .at(900_000, WOKE)
    .expect('1@412304', '2@412976')
    .end();
});

test('a super-frame that fits in part loses its last packets', () => {
  const script = new Script({ ...G1, queueBytes: 3 * 1538 })
    .at(0, offer(1), offer(2), offer(3, 0, SUPER))
    .expect();
  assert.equal(script.lane.counters().dropped['queue-full'], {
    frames: 0,
    packets: 2,
    wireBytes: 1538 + 138,
  });
  script.at(900_000, WOKE).expect('1@412304', '2@424608', '3-[2,3]@449216').end();
});

test('what an earlier span lost, the queue cut and the glass lost keep their original numbers', () => {
  // Of five packets number 1 is gone: 0, 2, 3, 4 are offered, the queue has room for 0 and 2, the glass loses 0.
  const script = new Script({ ...G1, queueBytes: 2 * 1538 }, { loss: losing(1) })
    .at(0, offer(1), { ...offer(2, 0, SUPER), lost: [1] })
    .at(900_000, WOKE)
    .expect('1@412304', '2-[0,1,3,4]@436912');
  assert.is(script.lane.counters().delivered.packets, 2);
  script.end();
});

test('loss of some packets, of the last one, and of all', () => {
  const script = new Script(G1, { loss: losing(0, 2, 7, 8, 9, 10, 11, 12) })
    .at(0, offer(1, 0, SUPER), offer(2, 0, SUPER), offer(3, 0, SUPER), offer(4))
    .at(900_000, WOKE)
    .expect('1-[0,2]@438016', '2-[3]@476032', '3!loss', '4!loss');
  assert.equal(script.lane.counters().dropped.loss, {
    frames: 2,
    packets: 8,
    wireBytes: 2 * 1538 + 138 + 4752 + 1538,
  });
  assert.equal(script.lane.counters().delivered, { frames: 2, packets: 5, wireBytes: 1538 + 138 + 3 * 1538 });
  script.end();
});

test('what the queue cut and what the glass lost come in one list', () => {
  new Script({ ...G1, queueBytes: 3 * 1538 }, { loss: losing(2) })
    .at(0, offer(1), offer(2), offer(3, 0, SUPER))
    .at(900_000, WOKE)
    .expect('1@412304', '2@424608', '3-[0,2,3]@449216')
    .end();
});

test('a lost frame is on its way until it would have arrived', () => {
  const script = new Script(G1, { loss: losing(0) }).at(0, offer(1)).at(412_303, WOKE).expect();
  assert.is(script.lane.counters().inFlight.packets, 1);
  script.wakes(412_304).at(412_304, WOKE).expect('1!loss').end();
});

test('link down drops what has not left, and lets arrive what is in the glass', () => {
  const down = { type: 'changed', set: { link: 'down' } } as const;
  const up = { type: 'changed', set: { link: 'up' } } as const;
  new Script(G1)
    .at(0, offer(1), offer(2, 1), offer(3, 1), offer(4))
    .at(20_000, down)
    .expect('4!link-down', '2!link-down', '3!link-down')
    .wakes(412_304)
    .at(30_000, offer(5))
    .expect('5!link-down')
    .at(30_500, up, offer(6)) // the old serialisation is forgotten
    .at(900_000, WOKE)
    .expect('1@412304', '6@442804')
    .end();
});

test('a lane may begin with its link down', () => {
  new Script({ ...G1, link: 'down' }).at(0, offer(1)).expect('1!link-down').end();
});

test('a discipline may drop at the head, by how long a frame has waited', () => {
  const waited: number[] = [];
  const patience: QueueDiscipline = {
    admits: (frame) => frame.packets,
    keeps(frame: Candidate, backlog, startNs) {
      waited.push(startNs - frame.offeredNs, backlog.packets);
      return startNs - frame.offeredNs < 20_000;
    },
  };
  const script = new Script(G1, { queue: patience })
    .at(0, offer(1), offer(2), offer(3), offer(4))
    .at(10_000, offer(5))
    .at(900_000, WOKE)
    .expect('3!queue-aqm', '4!queue-aqm', '1@412304', '2@424608', '5@436912');
  assert.equal(waited, [12_304, 3, 24_608, 2, 24_608, 1, 14_608, 0]);
  assert.is(script.lane.counters().dropped['queue-aqm'].frames, 2);
  script.end();
});

test('the event object may be reused, settings and counters are snapshots', () => {
  const event = offer(1);
  const lane = new Lane(G1, new Rng(1));
  const out: LaneAction[] = [];
  lane.step(0, event, out);
  const before = lane.counters();
  event.frame = offer(2).frame;
  event.wireBytes = SMALL.lastBytes;
  lane.step(0, event, out);
  lane.step(900_000, WOKE, out);
  assert.equal(
    out.map((a) => [a.frame.start, a.wireBytes]),
    [
      [1, 1538],
      [2, 84],
    ],
  );
  assert.is(before.offered.frames, 1);
  assert.is(before.inFlight.wireBytes, FULL.lastBytes);
  lane.step(900_000, { type: 'changed', set: { lossProb: 1 } }, out);
  assert.equal([G1.lossProb, lane.settings.lossProb], [0, 1]);
});

test.run();
