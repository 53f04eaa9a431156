/** The record layer's cryptography: AES-256-GCM of libcrypto (or node:crypto), HMAC-SHA-256 of node:crypto. */
import { createHmac } from 'node:crypto';
import { type AesGcm, openAesGcm } from '../../sys/index.js';
import type { RecordSuite } from '../index.js';
import { newRegion } from './chain.js';

/** @param kind `node:crypto` forbids libcrypto; omitted, libcrypto is taken where it is */
export function openRecordSuite(kind?: AesGcm['kind']): RecordSuite {
  return {
    sealing: () => openAesGcm('seal', kind),
    opening: () => openAesGcm('open', kind),
    mac: (key, message) => createHmac('sha256', key).update(message).digest(),
    place: newRegion,
  };
}
