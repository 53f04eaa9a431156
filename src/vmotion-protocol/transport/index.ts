export { Chain, newRegion, type Region, regionOf } from './chain.js';
export { availableCodecs, Codecs, openCodec } from './compressor.js';
export { DEMAND_AGAIN, DEMAND_BYTES } from './demand-requests.js';
export type { Link, LinkFigures, LinkPoller } from './link.js';
export { LinkBuffers } from './link-buffers.js';
export { PageEncoder, type PageHashes } from './page-encoder.js';
export type { PageStage, StagedContent } from './page-landing.js';
export { PageReceiver, type PageReceiverEvents } from './page-receiver.js';
export { type PageContent, PageSender } from './page-sender.js';
export { type HashedContent, PageServer } from './page-server.js';
export type { MissingServer, RoundReceiver, RoundSender } from './page-ways.js';
export {
  ATTEMPT_MASK,
  decodePreamble,
  encodePreamble,
  isLaterAttempt,
  PREAMBLE_BYTES,
  type Preamble,
} from './preamble.js';
export { SecureLink } from './secure-link.js';
export { SecureLinks, type SecureLinksOptions } from './secure-links.js';
export type { RunKey } from './secure-session.js';
export { openRecordSuite } from './secure-suite.js';
export { SharedKeyLinks } from './shared-key-links.js';
export { TcpLinks } from './tcp-links.js';
export { type UdpLink, type UdpLinkOptions, UdpLinks, udpLinkOf } from './udp-links.js';
export { UdpPageReceiver } from './udp-page-receiver.js';
export { UdpPageSender, type VersionedContent } from './udp-page-sender.js';
export { UdpPageServer } from './udp-page-server.js';
export { type DatagramSink, type DatagramWire, KernelWire, type PageAddress } from './udp-wire.js';
