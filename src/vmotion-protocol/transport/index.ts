export { Chain, newRegion, type Region, regionOf } from './chain.js';
export { availableCodecs, openCodec } from './compressor.js';
export type { Link, LinkPoller } from './link.js';
export {
  PageReceiver,
  type PageReceiverEvents,
  type PageStage,
  type StagedContent,
} from './page-receiver.js';
export { type PageContent, PageSender } from './page-sender.js';
export { DEMAND_AGAIN, DEMAND_BYTES, type HashedContent, PageServer } from './page-server.js';
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
export { TcpLinks } from './tcp-links.js';
export { UdpLink, type UdpLinkOptions, UdpLinks } from './udp-links.js';
export { UdpPageReceiver } from './udp-page-receiver.js';
export { UdpPageSender, type VersionedContent } from './udp-page-sender.js';
export { type DatagramSink, type DatagramWire, KernelWire, type PageAddress } from './udp-wire.js';
