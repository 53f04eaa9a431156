export { Chain, newRegion, type Region, regionOf } from './chain.js';
export type { Link, LinkPoller } from './link.js';
export { PageReceiver, type PageReceiverEvents } from './page-receiver.js';
export { type PageContent, PageSender } from './page-sender.js';
export { decodePreamble, encodePreamble, PREAMBLE_BYTES, type Preamble } from './preamble.js';
export { TcpLinks } from './tcp-links.js';
