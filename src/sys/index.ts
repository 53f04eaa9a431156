export { nowNs } from './clock.js';
export { EAGAIN, ECONNREFUSED, EINTR, EIO, ENETDOWN, ENOBUFS, ENXIO, errnoName, sysError } from './errno.js';
export {
  closeFd,
  Doorbell,
  IoVec,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  openFd,
  setNonBlocking,
} from './fd.js';
export { addressOf, check, errno, koffiVersion, libc, MADV_DONTNEED } from './libc.js';
export { NativeStruct } from './native-struct.js';
export { bringUp, type InterfaceSettings, interfaceIndex } from './netdev.js';
export { createVeth } from './netlink.js';
export { bindNetns, createNetns, enterNetns, inNetns, unbindNetns } from './netns.js';
export { openPacket } from './packet.js';
export { POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, PollSet, sharpenTimers } from './poll.js';
export { dieWithParent, replaceProcess, setThreadNice } from './process.js';
export {
  acceptTcp,
  connectTcp,
  connectUdp,
  type Endpoint,
  endSending,
  listenTcp,
  localEndpoint,
  openUdp,
  receiveBytes,
  sendBytes,
  setBuffers,
  setTcpUserTimeout,
  socketError,
} from './socket.js';
export { openTap, VNET_HDR_SIZE } from './tap.js';
export { openPagemap, openWriteTracker, PageRegions, trackWrites, untrackWrites } from './userfaultfd.js';
