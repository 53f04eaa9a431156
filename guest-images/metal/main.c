/*
 * A machine that boots in a blink, answers the network and dirties its memory: the guest that is moved.
 * One loop does everything. Interrupts are let in at two places only, between two turns and while halted, so that
 * nothing here needs a lock.
 */
#include "machine.h"
#include "memory.h"
#include "net.h"
#include "nic.h"
#include "params.h"
#include "tcp.h"

#define MULTIBOOT_MAGIC 0x2BADB002u
enum { HAS_MEMORY = 1, HAS_COMMAND_LINE = 4, HAS_MEMORY_MAP = 64 };
#define LOADED_AT 0x100000u

struct multiboot {
    u32 flags, mem_lower_kb, mem_upper_kb, boot_device, command_line, modules[2], symbols[4], map_bytes, map;
};
struct map_entry {
    u32 size, from, from_high, bytes, bytes_high, type; /* size: of what follows it */
};

static struct params params = {
    .ip = 0x0A00000A, .echo = 7, .udp = 7, .counter = 19, .lines = 1, .heartbeat = 1000, .hz = 1000,
    .hot = 32, .seed = 1, .random_fill = 1, .whole_pages = 1,
};

static void beat(u32 ms)
{
    static u32 due, number;
    if (params.heartbeat == 0 || (s32)(ms - due) < 0) return;
    due = ms + params.heartbeat;
    say("beat %u\n", number++);
}

static void run(void)
{
    u32 last_tick = ticks, last_ms = clock_ms;
    for (;;) {
        u32 us = clock_advance();
        u32 tick = ticks, passed_ms = clock_ms - last_ms;
        int busy = nic_poll(net_take);
        if (passed_ms > 0) {
            last_ms = clock_ms;
            tcp_work(passed_ms);
            beat(clock_ms);
        }
        busy |= memory_work(us, tick - last_tick);
        last_tick = tick;
        if (busy) __asm__ volatile("sti; nop; cli" ::: "memory");
        else __asm__ volatile("sti; hlt; cli" ::: "memory");
    }
}

/* Where the memory ends in which the image lies: QEMU gives its size, v86 only a map; 0 when neither. */
static u32 memory_end(const struct multiboot *info)
{
    if (info->flags & HAS_MEMORY) return LOADED_AT + info->mem_upper_kb * 1024;
    if (!(info->flags & HAS_MEMORY_MAP)) return 0;
    for (u32 at = info->map; at < info->map + info->map_bytes;) {
        const struct map_entry *e = (const struct map_entry *)at;
        if (e->type == 1 && e->from_high == 0 && e->from <= LOADED_AT && e->from + e->bytes > LOADED_AT) return e->from + e->bytes;
        at += e->size + 4;
    }
    return 0;
}

void metal_main(u32 magic, const struct multiboot *info)
{
    serial_start();
    u32 end = magic == MULTIBOOT_MAGIC ? memory_end(info) : 0;
    if (end == 0) {
        say("metal: not started by a multiboot loader that says how much memory there is; halted\n");
        return;
    }
    if (info->flags & HAS_COMMAND_LINE) params_read((const char *)info->command_line, &params);
    net_address = params.ip;
    udp_echo_port = (u16)params.udp;
    tcp_echo_port = (u16)params.echo;
    tcp_counter_port = (u16)params.counter;
    tcp_lines_per_ms = params.lines;

    interrupts_start(params.hz);
    int nic = nic_start(params.has_mac ? params.mac : 0);
    memory_start(&params, end);
    if (nic)
        say("metal: ready %i %x:%x:%x:%x:%x:%x", params.ip, nic_mac[0], nic_mac[1], nic_mac[2], nic_mac[3], nic_mac[4], nic_mac[5]);
    else say("metal: ready without a network card");
    say(" memory %u KiB dirty %u MB/s and %u pages a tick of %u\n", end / 1024, params.dirty, params.pages, memory_hot_pages());
    run();
}
