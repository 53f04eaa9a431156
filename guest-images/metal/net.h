/* ARP, IPv4, ICMP echo and UDP echo; TCP has a file of its own. The machine only answers, so it keeps no ARP table:
   an answer goes to the station that the question came from. */
#ifndef NET_H
#define NET_H
#include "machine.h"

#define ETH_BYTES 14u
#define IP_BYTES 20u
#define PROTO_TCP 6

extern u32 net_address;
extern u16 udp_echo_port;

void net_take(u8 *frame, u32 bytes);
/* RFC 1071: the ones' complement sum of `bytes` bytes, on top of `sum`; not yet folded. */
u32 net_sum(const u8 *p, u32 bytes, u32 sum);
u16 net_fold(u32 sum);
/* The sum of the pseudo-header of TCP and UDP. */
u32 net_pseudo(u32 from, u32 to, u32 protocol, u32 bytes);
/* Fills in the Ethernet and IP headers before `payload` bytes that stand at frame + 34, and sends. */
void net_send_ip(u8 *frame, const u8 *to_mac, u32 to, u32 protocol, u32 payload);

#endif
