/* What the multiboot command line says; README.md has the list. */
#ifndef PARAMS_H
#define PARAMS_H
#include "machine.h"

struct params {
    u32 ip, echo, udp, counter, lines, heartbeat, hz;
    u32 dirty, pages, hot, seed, random_fill, whole_pages, sweep;
    u8 mac[6], has_mac;
};

/* Reads `name=value` words; what it cannot read it names on the serial line and leaves at its default. */
void params_read(const char *line, struct params *p);

#endif
