/* The machine as the other files see it: numbers, port I/O, memory, clock, serial line. */
#ifndef MACHINE_H
#define MACHINE_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;

#define PAGE_BYTES 4096u
#define PAGE_WORDS (PAGE_BYTES / 4)

static inline u8 inb(u16 port) { u8 v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u32 inl(u16 port) { u32 v; __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u16 inw(u16 port) { u16 v; __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline void outw(u16 port, u16 v) { __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port)); }
static inline void outb(u16 port, u8 v) { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }
static inline void outl(u16 port, u32 v) { __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port)); }
static inline u32 tsc_low(void) { u32 v; __asm__ volatile("rdtsc" : "=a"(v) : : "edx"); return v; }

void *memcpy(void *to, const void *from, u32 n);
void *memset(void *to, int value, u32 n);
int memcmp(const void *a, const void *b, u32 n);

/* Network byte order. */
static inline u16 get16(const u8 *p) { return (u16)(p[0] << 8 | p[1]); }
static inline u32 get32(const u8 *p) { return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3]; }
static inline void put16(u8 *p, u32 v) { p[0] = (u8)(v >> 8); p[1] = (u8)v; }
static inline void put32(u8 *p, u32 v) { put16(p, v >> 16); put16(p + 2, v); }

/* Interrupts of the timer since the start; counted by boot.S. */
extern volatile u32 ticks;
/* Microseconds the machine has run; it stands still while the machine is paused, and never goes back. */
extern u64 clock_us;
/* Milliseconds of the same, as 32 bits. */
extern u32 clock_ms;

void interrupts_start(u32 hz);
/* Takes the time; returns the microseconds since the last call. */
u32 clock_advance(void);

void serial_start(void);
/* Prints text; %u a u32, %x a byte in two hex digits, %i an IPv4 address (u32), %s a string. */
void say(const char *format, ...);

#endif
