/* Interrupt controller, timer, time stamp counter, serial line. */
#include "machine.h"

#define PIC1 0x20
#define PIC2 0xA0
#define PIT_HZ 1193182u
#define COM1 0x3F8
#define NIC_IRQ 11
#define FIRST_IRQ_VECTOR 32
/* More than this between two looks at the clock means that the machine stood still (a migration) or was restored
   where another counter runs: no guest time passed. */
#define STILL_US 50000u

extern void on_tick(void), on_nic(void), on_spurious(void), exception_entries(void);

volatile u32 ticks;
u64 clock_us;
u32 clock_ms;

static struct { u16 low, selector, type, high; } __attribute__((packed)) idt[FIRST_IRQ_VECTOR + 16];
static u32 tsc_per_us = 1000, tsc_last, tsc_rest, us_into_ms;

void *memcpy(void *to, const void *from, u32 n)
{
    void *d = to;
    u32 words = n >> 2, bytes = n & 3;
    __asm__ volatile("rep movsl" : "+D"(d), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(bytes) : : "memory");
    return to;
}

void *memset(void *to, int value, u32 n)
{
    void *d = to;
    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(value) : "memory");
    return to;
}

int memcmp(const void *a, const void *b, u32 n)
{
    const u8 *x = a, *y = b;
    for (; n > 0; n--, x++, y++)
        if (*x != *y) return *x - *y;
    return 0;
}

static void gate(u32 vector, void (*entry)(void))
{
    u32 at = (u32)entry;
    idt[vector].low = (u16)at;
    idt[vector].selector = 0x08;
    idt[vector].type = 0x8E00;
    idt[vector].high = (u16)(at >> 16);
}

static u32 pit_count(void)
{
    outb(0x43, 0x00); /* latch channel 0 */
    u32 low = inb(0x40);
    return low | (u32)inb(0x40) << 8;
}

/* A pair of readings taken close together: of 16, the one with the least time between. */
static void pit_and_tsc(u32 *pit, u32 *tsc)
{
    u32 best = ~0u;
    *pit = *tsc = 0;
    for (int i = 0; i < 16; i++) {
        u32 before = tsc_low();
        u32 count = pit_count();
        u32 took = tsc_low() - before;
        if (took < best) best = took, *pit = count, *tsc = before + took / 2;
    }
}

/* How many counts of the time stamp counter a microsecond has, by 10 ms of the timer. */
static void calibrate(void)
{
    u32 pit0, pit1, tsc0, tsc1;
    outb(0x43, 0x34); /* channel 0, mode 2, 65536 counts: 55 ms */
    outb(0x40, 0);
    outb(0x40, 0);
    pit_and_tsc(&pit0, &tsc0);
    do pit_and_tsc(&pit1, &tsc1);
    while (((pit0 - pit1) & 0xFFFF) < PIT_HZ / 100);
    u32 us = ((pit0 - pit1) & 0xFFFF) * 1000u / (PIT_HZ / 1000u);
    tsc_per_us = (tsc1 - tsc0 + us / 2) / us;
    if (tsc_per_us == 0) tsc_per_us = 1;
}

void interrupts_start(u32 hz)
{
    for (u32 v = 0; v < FIRST_IRQ_VECTOR; v++) gate(v, (void (*)(void))((u32)exception_entries + 8 * v));
    for (u32 v = FIRST_IRQ_VECTOR; v < FIRST_IRQ_VECTOR + 16; v++) gate(v, on_spurious);
    gate(FIRST_IRQ_VECTOR, on_tick);
    gate(FIRST_IRQ_VECTOR + NIC_IRQ, on_nic);
    struct { u16 limit; u32 base; } __attribute__((packed)) pointer = { sizeof idt - 1, (u32)idt };
    __asm__ volatile("lidt %0" : : "m"(pointer));

    outb(PIC1, 0x11); outb(PIC1 + 1, FIRST_IRQ_VECTOR); outb(PIC1 + 1, 4); outb(PIC1 + 1, 1);
    outb(PIC2, 0x11); outb(PIC2 + 1, FIRST_IRQ_VECTOR + 8); outb(PIC2 + 1, 2); outb(PIC2 + 1, 1);
    outb(PIC1 + 1, 0xFF & ~(1 << 0 | 1 << 2)); /* the timer, and the second controller */
    outb(PIC2 + 1, 0xFF & ~(1 << (NIC_IRQ - 8)));

    calibrate();
    u32 counts = PIT_HZ / hz;
    outb(0x43, 0x34);
    outb(0x40, (u8)counts);
    outb(0x40, (u8)(counts >> 8));
    tsc_last = tsc_low();
}

u32 clock_advance(void)
{
    u32 now = tsc_low();
    u32 passed = now - tsc_last + tsc_rest;
    u32 us = passed / tsc_per_us;
    tsc_last = now;
    tsc_rest = passed % tsc_per_us;
    if (us > STILL_US) us = 1000, tsc_rest = 0;
    clock_us += us;
    for (us_into_ms += us; us_into_ms >= 1000; us_into_ms -= 1000) clock_ms++;
    return us;
}

void serial_start(void)
{
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 0x80); /* divisor 1: 115200 baud */
    outb(COM1 + 0, 1);
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 0x03); /* 8 bits, no parity, one stop bit */
    outb(COM1 + 2, 0x07); /* FIFOs on and empty */
    outb(COM1 + 4, 0x03);
}

static void put(char c)
{
    for (u32 i = 0; i < 100000 && !(inb(COM1 + 5) & 0x20); i++) {}
    outb(COM1, (u8)c);
}

static void put_number(u32 v)
{
    char digits[10];
    u32 n = 0;
    do digits[n++] = (char)('0' + v % 10);
    while (v /= 10);
    while (n > 0) put(digits[--n]);
}

void say(const char *format, ...)
{
    __builtin_va_list args;
    __builtin_va_start(args, format);
    for (; *format; format++) {
        if (*format != '%') {
            if (*format == '\n') put('\r');
            put(*format);
            continue;
        }
        format++;
        if (*format == 's') {
            for (const char *s = __builtin_va_arg(args, const char *); *s; s++) put(*s);
            continue;
        }
        u32 v = __builtin_va_arg(args, u32);
        if (*format == 'u') put_number(v);
        if (*format == 'x') put("0123456789abcdef"[v >> 4 & 15]), put("0123456789abcdef"[v & 15]);
        if (*format == 'i')
            for (int shift = 24; shift >= 0; shift -= 8) {
                put_number(v >> shift & 255);
                if (shift > 0) put('.');
            }
    }
    __builtin_va_end(args);
}

/* An exception of the processor: there is nothing to go back to. */
void fault(u32 where, u32 vector)
{
    say("metal: exception %u at or with %u; halted\n", vector, where);
}
