/**
 * What a capture holds: a line for every packet, and the migrations among them.
 *
 *   packet ─► line (number, instant, interface, direction, length, what it is)
 *         └─► first sight of each frame ─► transports ─► links ─► migrations
 *
 * Lines are given out as they are read; of the rest only what the migrations need is kept.
 */

import type { CaptureReader } from '../capture/files/index.js';
import {
  type CapturedPacket,
  type CaptureEpoch,
  type CaptureInterface,
  dropReasonOf,
  LINK_EVENTS,
} from '../capture/index.js';
import {
  decodeArp,
  describeFrame,
  ETHERTYPE_ARP,
  ETHERTYPE_RARP,
  ethernetPayloadAt,
  VXLAN_HEADER_BYTES,
  VXLAN_UDP_PORT,
  vxlanVniAt,
} from '../l2/index.js';
import { Selection, toEthernet } from '../replay/index.js';
import { Migrations, type SeenMigration } from './migration.js';
import { transportOf } from './transport.js';

export interface PacketLine {
  /** From 1, as Wireshark counts. */
  readonly number: number;
  /** After the capture's first packet. */
  readonly atNs: number;
  readonly interfaceName: string;
  readonly direction: CapturedPacket['direction'];
  readonly length: number;
  readonly packetId: number | null;
  /** Null for a packet that went on its way. */
  readonly dropped: string | null;
  readonly text: string;
}

export interface Shown {
  readonly packets: number;
  readonly epoch: CaptureEpoch | null;
  readonly interfaces: readonly CaptureInterface[];
  readonly migrations: readonly SeenMigration[];
  /** What is wrong with the file, when it is read all the same. */
  readonly damage: string | null;
}

/** Reads a capture to its end. @param onLine called for every packet in order */
export async function showCapture(reader: CaptureReader, onLine: (line: PacketLine) => void): Promise<Shown> {
  const migrations = new Migrations();
  const selection = new Selection(null);
  let packets = 0;
  for await (const batch of reader.batches()) {
    for (const packet of batch) {
      const seenAt = reader.interfaces[packet.interfaceId];
      const isNew = selection.wants(packet, reader);
      const frame = seenAt === undefined ? null : toEthernet(seenAt.linkType, packet.bytes);
      onLine({
        number: ++packets,
        atNs: packet.atNs,
        interfaceName: seenAt?.name ?? '',
        direction: packet.direction,
        length: packet.originalBytes,
        packetId: packet.packetId,
        dropped: dropReasonOf(packet),
        text: textOf(packet, seenAt, frame, isNew ? migrations : null),
      });
    }
  }
  return {
    packets,
    epoch: reader.epoch,
    interfaces: reader.interfaces,
    migrations: migrations.found(),
    damage: reader.damage === null ? null : `${reader.damage.code}: ${reader.damage.text}`,
  };
}

function textOf(
  packet: CapturedPacket,
  seenAt: CaptureInterface | undefined,
  frame: Uint8Array | null,
  migrations: Migrations | null,
): string {
  // What a drop's comment says stands in its verdict.
  const said = dropReasonOf(packet) === null ? packet.comment : null;
  const comment = said === null ? '' : ` (${said.replace(/\s*\n\s*/g, '; ')})`;
  if (seenAt?.linkType === LINK_EVENTS) return `event${comment}`;
  if (frame === null) return `link type ${seenAt?.linkType ?? '?'}, not read${comment}`;
  if (migrations !== null && isAnnouncement(frame)) migrations.announced(packet.atNs);
  const t = transportOf(frame);
  const line = describeFrame(frame);
  if (t === null) return line + comment;
  const ours = migrations?.heard(packet.atNs, t) ?? null;
  const inner = t.protocol === 'udp' && t.dstPort === VXLAN_UDP_PORT ? vxlanText(t.payload) : null;
  return (
    [line, ours === null ? null : `longhaul ${ours}`, inner].filter((s) => s !== null).join(' │ ') + comment
  );
}

function vxlanText(payload: Uint8Array): string | null {
  const vni = vxlanVniAt(payload, 0, payload.length);
  return vni < 0 ? null : `VXLAN ${vni} │ ${describeFrame(payload.subarray(VXLAN_HEADER_BYTES))}`;
}

/** A RARP, or an ARP that tells of itself. RFC 903, RFC 5227, 3 */
function isAnnouncement(frame: Uint8Array): boolean {
  const at = ethernetPayloadAt(frame, 0, frame.length);
  if (at < 0) return false;
  const etherType = (frame[at - 2]! << 8) | frame[at - 1]!;
  if (etherType === ETHERTYPE_RARP) return true;
  if (etherType !== ETHERTYPE_ARP) return false;
  const arp = decodeArp(frame, at, frame.length);
  return arp.ok && arp.value.senderIp === arp.value.targetIp && arp.value.senderIp !== 0;
}
