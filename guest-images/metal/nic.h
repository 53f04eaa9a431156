/* The network card: virtio-net on PCI, which v86 and QEMU (-device virtio-net-pci) both have. */
#ifndef NIC_H
#define NIC_H
#include "machine.h"

#define FRAME_MAX 1514u

extern u8 nic_mac[6];

/* Finds and starts the card; mac, if not null, replaces the address it came with. False when there is none. */
int nic_start(const u8 *mac);
/* Hands every frame that has come to `take`; true when there was one. The bytes are the card's until it returns. */
int nic_poll(void (*take)(u8 *frame, u32 bytes));
void nic_send(const u8 *frame, u32 bytes);

#endif
