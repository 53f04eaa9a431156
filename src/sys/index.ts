export { type AesGcm, openAesGcm } from './aes-gcm.js';
export { compareClocks, nowNs } from './clock.js';
export { compilingEarly } from './compile-early.js';
export { DatagramBatch, DatagramReceiver, probeOwnMtu } from './datagrams.js';
export {
  EAGAIN,
  EBADF,
  EBADFD,
  ECONNREFUSED,
  EINTR,
  EIO,
  EMSGSIZE,
  ENETDOWN,
  ENOBUFS,
  ENXIO,
  errnoName,
  sysError,
} from './errno.js';
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
  writeBytes,
} from './fd.js';
export { makeFifo } from './fifo.js';
export { dropPages, MADV_REMOVE, mapFileOver, tmpfsBytesFree } from './file-memory.js';
export { type IoBatch, openIoBatch } from './io-batch.js';
export { addressOf, check, errno, koffiVersion, libc, MADV_DONTNEED, memoryAt } from './libc.js';
export { libcrypto } from './libcrypto.js';
export { Lz4 } from './lz4.js';
export { MessageArray } from './message-array.js';
export { FaultReader, PagePlacer } from './missing-pages.js';
export { NativeStruct } from './native-struct.js';
export { bringDown, bringUp, type InterfaceSettings, interfaceIndex } from './netdev.js';
export { createVeth, removeInterface, trySuperFrameBytes } from './netlink.js';
export { bindNetns, createNetns, enterNetns, inNetns, unbindNetns } from './netns.js';
export { kernelArrivalNs, openPacket, strippedVlanTag } from './packet.js';
export { PageDropper } from './page-dropper.js';
export { populatePages, preferLargePages } from './page-population.js';
export { POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, PollSet, sharpenTimers } from './poll.js';
export { dieWithParent, nameThread, replaceProcess } from './process.js';
export { type ProcessorTime, processFamilyNs, processorTime } from './processor-use.js';
export { actAtEase, actInRealTime, actPromptly, actWhenIdle, threadNumber } from './scheduling.js';
export {
  acceptTcp,
  connectTcp,
  connectUdp,
  droppedAtSocket,
  type Endpoint,
  endSending,
  listenTcp,
  localEndpoint,
  openDatagramPair,
  openUdp,
  receiveBytes,
  sendBytes,
  setBuffers,
  setTcpBacklog,
  setTcpUserTimeout,
  setTunnelOptions,
  socketError,
  unsentBytes,
} from './socket.js';
export { StampedReceiver, stampArrivals } from './stamped-receiver.js';
export { openTap, VNET_HDR_SIZE } from './tap.js';
export { congestionName, limitPacing, setCongestion, setReadableFrom, tcpFigures } from './tcp-socket.js';
export {
  catchFaults,
  openFaultCatcher,
  openPagemap,
  openWriteTracker,
  PageRegions,
  trackWrites,
  unregister,
} from './userfaultfd.js';
export { Zstd } from './zstd.js';
