import * as assert from 'uvu/assert';
import { doctorText } from '../../src/cli/doctor.js';
import { suite } from '../suite.js';

const test = suite('cli/doctor');

test('what is there, what is missing, what that costs and what mends it', () => {
  assert.is(
    doctorText([
      { name: 'tap', ok: true, detail: '/dev/net/tun opens', cost: 'never shown' },
      {
        name: 'raw-socket',
        ok: false,
        detail: 'not built',
        cost: 'the round trip is measured on a port of the bridge',
        remedy: 'npm rebuild raw-socket',
      },
    ]),
    `What this machine offers
  yes  tap         /dev/net/tun opens
  no   raw-socket  not built
         costs  the round trip is measured on a port of the bridge
         mend   npm rebuild raw-socket

1 of 2 missing; see what each costs`,
  );
  assert.match(doctorText([]), 'nothing is missing');
});

test.run();
