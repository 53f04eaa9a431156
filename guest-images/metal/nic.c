/*
 * virtio-net over PCI (Virtual I/O Device 1.2: section 4.1 for PCI, 2.7 for split queues, 5.1 for the card).
 * v86 places the device's registers at I/O ports, QEMU in memory; the capabilities say which.
 *
 *   queue 0  receive   every buffer is the device's until a frame came in it, then ours, then the device's again
 *   queue 1  send      a frame is copied to a free buffer; buffers that the device is done with are taken back first
 *
 * Left out on purpose: offloads, several queue pairs, MSI-X, the control queue. Not an NE2000, which both have too:
 * QEMU's takes a receive ring that has just become full for an empty one and overwrites it.
 */
#include "nic.h"

#define BUFFERS 128u              /* of each queue; a power of two */
#define BUFFER_BYTES 2048u
#define HEADER 12u                /* struct virtio_net_hdr of a device of version 1 */
#define NIC_IRQ 11

enum { STATUS_ACKNOWLEDGE = 1, STATUS_DRIVER = 2, STATUS_DRIVER_OK = 4, STATUS_FEATURES_OK = 8 };
enum { FEATURE_MAC = 1 << 5, FEATURE_VERSION_1 = 1 << 0 /* in the second word */ };
/* struct virtio_pci_common_cfg */
enum { DEVICE_FEATURE_SELECT = 0, DEVICE_FEATURE = 4, DRIVER_FEATURE_SELECT = 8, DRIVER_FEATURE = 12, DEVICE_STATUS = 20,
       QUEUE_SELECT = 22, QUEUE_SIZE = 24, QUEUE_ENABLE = 28, QUEUE_NOTIFY_OFF = 30, QUEUE_DESC = 32, QUEUE_DRIVER = 40,
       QUEUE_DEVICE = 48 };
enum { CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_ISR = 3, CAP_DEVICE = 4 };
enum { DESC_DEVICE_WRITES = 2, NO_INTERRUPT = 1 };

struct queue {
    struct { u32 address, address_high, bytes; u16 flags, next; } desc[BUFFERS];
    struct { u16 flags, index, ring[BUFFERS]; } avail;
    u16 pad[3];
    struct { u16 flags, index; struct { u32 id, bytes; } ring[BUFFERS]; } __attribute__((aligned(4))) used;
    u8 buffer[BUFFERS][BUFFER_BYTES] __attribute__((aligned(4)));
    u16 seen;                     /* used.index up to which we looked */
    struct place { u32 at; u8 is_port; } notify;
} __attribute__((aligned(4096)));

u8 nic_mac[6];

static struct queue receive, send;
static struct place places[5];
static u32 notify_multiplier;
static volatile u8 pending;
static u8 started;

static u32 pci_read(u32 device, u32 offset)
{
    outl(0xCF8, 0x80000000u | device << 11 | offset);
    return inl(0xCFC);
}

static void pci_write(u32 device, u32 offset, u32 value)
{
    outl(0xCF8, 0x80000000u | device << 11 | offset);
    outl(0xCFC, value);
}

static u32 get(struct place p, u32 offset, u32 bytes)
{
    u32 at = p.at + offset;
    if (p.is_port) return bytes == 1 ? inb((u16)at) : bytes == 2 ? inw((u16)at) : inl((u16)at);
    return bytes == 1 ? *(volatile u8 *)at : bytes == 2 ? *(volatile u16 *)at : *(volatile u32 *)at;
}

static void set(struct place p, u32 offset, u32 bytes, u32 value)
{
    u32 at = p.at + offset;
    if (p.is_port) {
        if (bytes == 1) outb((u16)at, (u8)value);
        else if (bytes == 2) outw((u16)at, (u16)value);
        else outl((u16)at, value);
    } else if (bytes == 1) *(volatile u8 *)at = (u8)value;
    else if (bytes == 2) *(volatile u16 *)at = (u16)value;
    else *(volatile u32 *)at = value;
}

/* Without a BIOS nobody has told the bridge (PIIX3) where the four PCI interrupt lines go: all to one, by level. */
static void route_interrupts(void)
{
    for (u32 device = 0; device < 32; device++)
        if (pci_read(device, 0) == 0x70008086) pci_write(device, 0x60, NIC_IRQ * 0x01010101u);
    outb(0x4D1, inb(0x4D1) | 1 << (NIC_IRQ - 8));
}

/* Reads the vendor capabilities (4.1.4): which registers lie where. */
static int find_places(u32 device)
{
    u32 cap = pci_read(device, 0x34) & 0xFC;
    for (u32 i = 0; cap != 0 && i < 32; i++) {
        u32 head = pci_read(device, cap), type = head >> 24, next = head >> 8 & 0xFC;
        u32 bar_number = pci_read(device, cap + 4) & 0xFF;
        if ((head & 0xFF) == 9 && type >= CAP_COMMON && type <= CAP_DEVICE && bar_number < 6 && places[type].at == 0) {
            u32 bar = pci_read(device, 0x10 + 4 * bar_number);
            places[type].is_port = bar & 1;
            places[type].at = (bar & (bar & 1 ? ~3u : ~15u)) + pci_read(device, cap + 8);
            if (type == CAP_NOTIFY) notify_multiplier = pci_read(device, cap + 16);
        }
        cap = next;
    }
    return places[CAP_COMMON].at && places[CAP_NOTIFY].at && places[CAP_ISR].at && places[CAP_DEVICE].at;
}

static void start_queue(struct queue *q, u32 number, u16 flags)
{
    struct place common = places[CAP_COMMON];
    for (u32 i = 0; i < BUFFERS; i++) {
        q->desc[i].address = (u32)q->buffer[i];
        q->desc[i].bytes = BUFFER_BYTES;
        q->desc[i].flags = flags;
        q->avail.ring[i] = (u16)i;
    }
    set(common, QUEUE_SELECT, 2, number);
    set(common, QUEUE_SIZE, 2, BUFFERS);
    set(common, QUEUE_DESC, 4, (u32)q->desc);
    set(common, QUEUE_DESC + 4, 4, 0);
    set(common, QUEUE_DRIVER, 4, (u32)&q->avail);
    set(common, QUEUE_DRIVER + 4, 4, 0);
    set(common, QUEUE_DEVICE, 4, (u32)&q->used);
    set(common, QUEUE_DEVICE + 4, 4, 0);
    q->notify = places[CAP_NOTIFY];
    q->notify.at += get(common, QUEUE_NOTIFY_OFF, 2) * notify_multiplier;
    set(common, QUEUE_ENABLE, 2, 1);
}

int nic_start(const u8 *mac)
{
    u32 device = 0;
    for (; device < 32; device++) {
        u32 id = pci_read(device, 0);
        if (id == 0x10411AF4 || id == 0x10001AF4) break;
    }
    if (device == 32) return 0;
    pci_write(device, 4, (pci_read(device, 4) & 0xFFFF & ~0x400u) | 7); /* ports, memory, bus master, interrupts */
    if (!find_places(device)) return 0;
    route_interrupts();

    struct place common = places[CAP_COMMON];
    set(common, DEVICE_STATUS, 1, 0);
    set(common, DEVICE_STATUS, 1, STATUS_ACKNOWLEDGE);
    set(common, DEVICE_STATUS, 1, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    set(common, DEVICE_FEATURE_SELECT, 4, 0);
    u32 has_mac = get(common, DEVICE_FEATURE, 4) & FEATURE_MAC;
    set(common, DRIVER_FEATURE_SELECT, 4, 0);
    set(common, DRIVER_FEATURE, 4, has_mac);
    set(common, DRIVER_FEATURE_SELECT, 4, 1);
    set(common, DRIVER_FEATURE, 4, FEATURE_VERSION_1);
    set(common, DEVICE_STATUS, 1, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
    if (!(get(common, DEVICE_STATUS, 1) & STATUS_FEATURES_OK)) return 0;

    static const u8 fallback[6] = { 2, 0, 0, 0, 0, 1 };
    for (u32 i = 0; i < 6; i++)
        nic_mac[i] = mac ? mac[i] : has_mac ? (u8)get(places[CAP_DEVICE], i, 1) : fallback[i];
    start_queue(&receive, 0, DESC_DEVICE_WRITES);
    start_queue(&send, 1, 0);
    send.avail.flags = NO_INTERRUPT;
    set(common, DEVICE_STATUS, 1, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
    receive.avail.index = BUFFERS;
    set(receive.notify, 0, 2, 0);
    started = 1;
    return 1;
}

/* Called with interrupts off. Reading the status lowers the line; no more of them until nic_poll has seen all. */
void nic_interrupt(void)
{
    if (!started) return;
    get(places[CAP_ISR], 0, 1);
    receive.avail.flags = NO_INTERRUPT;
    pending = 1;
}

static volatile u16 *used_index(struct queue *q)
{
    return &q->used.index;
}

int nic_poll(void (*take)(u8 *frame, u32 bytes))
{
    if (!pending) return 0;
    for (u32 limit = 32; limit > 0; limit--) {
        if (receive.seen == *used_index(&receive)) {
            /* Interrupts on, then one more look: what came between the two is not slept over. */
            receive.avail.flags = 0;
            __sync_synchronize();
            if (receive.seen == *used_index(&receive)) {
                pending = 0;
                return 1;
            }
        }
        u32 id = receive.used.ring[receive.seen % BUFFERS].id % BUFFERS;
        u32 bytes = receive.used.ring[receive.seen % BUFFERS].bytes;
        receive.seen++;
        u8 *frame = receive.buffer[id] + HEADER;
        int ours = memcmp(frame, nic_mac, 6) == 0 || (frame[0] & 1);
        if (bytes > HEADER && bytes <= HEADER + FRAME_MAX && ours) take(frame, bytes - HEADER);
        receive.avail.ring[receive.avail.index % BUFFERS] = (u16)id;
        __sync_synchronize();
        receive.avail.index++;
        if (receive.avail.index % 16 == 0) set(receive.notify, 0, 2, 0);
    }
    return 1;
}

void nic_send(const u8 *frame, u32 bytes)
{
    if (!started || bytes > FRAME_MAX) return;
    /* All buffers with the device: it gets time to send; if it does not, the frame is lost as on any wire. */
    u32 spins = 0;
    while ((u16)(send.avail.index - *used_index(&send)) >= BUFFERS)
        if (spins++ > 100000) return;
    u32 id = send.avail.index % BUFFERS; /* the device takes and gives back in order */
    memset(send.buffer[id], 0, HEADER);
    memcpy(send.buffer[id] + HEADER, frame, bytes);
    if (bytes < 60) memset(send.buffer[id] + HEADER + bytes, 0, 60 - bytes);
    send.desc[id].bytes = HEADER + (bytes < 60 ? 60 : bytes);
    send.avail.ring[id] = (u16)id;
    __sync_synchronize();
    send.avail.index++;
    __sync_synchronize();
    set(send.notify, 0, 2, 1);
}
