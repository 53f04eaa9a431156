/* A TCP that waits to be called: an echo service (RFC 862) and a counter service, see tcp.c. */
#ifndef TCP_H
#define TCP_H
#include "machine.h"

extern u16 tcp_echo_port, tcp_counter_port;
/* Lines that the counter service sends on each of its connections every millisecond. */
extern u32 tcp_lines_per_ms;

void tcp_take(const u8 *from_mac, u32 from, const u8 *segment, u32 bytes);
/* What is due at `clock_ms`, `passed_ms` after the last call: retransmissions, probes, the counter's lines. */
void tcp_work(u32 passed_ms);

#endif
