/** Moves over our own UDP transport on our own end stations, without a kernel network. */
import { suite } from '../suite.js';
import { lossyMoves } from './udp-moves.js';

const test = suite('lab/run over UDP, loopback');

lossyMoves(test, 'loopback');

test.run();
