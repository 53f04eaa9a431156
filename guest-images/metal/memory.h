/* The memory that the image fills with content and keeps writing to. */
#ifndef MEMORY_H
#define MEMORY_H
#include "params.h"

/* Takes all memory from the end of the image to `end`, and fills it if the parameters say so. */
void memory_start(const struct params *p, u32 end);
/* Writes some of what is due after `us` microseconds and `ticks_passed` ticks; true when more is due. */
int memory_work(u32 us, u32 ticks_passed);
/* Pages of the hot set. */
u32 memory_hot_pages(void);

#endif
