#include "net.h"
#include "nic.h"
#include "tcp.h"

enum { ETH_TO = 0, ETH_FROM = 6, ETH_TYPE = 12 };
enum { ARP_OPER = 6, ARP_SHA = 8, ARP_SPA = 14, ARP_THA = 18, ARP_TPA = 24, ARP_BYTES = 28 };
enum { IP_TOTAL = 2, IP_ID = 4, IP_FRAGMENT = 6, IP_TTL = 8, IP_PROTOCOL = 9, IP_CHECK = 10, IP_FROM = 12, IP_TO = 16 };
#define PROTO_ICMP 1
#define PROTO_UDP 17

u32 net_address;
u16 udp_echo_port;

u32 net_sum(const u8 *p, u32 bytes, u32 sum)
{
    for (; bytes >= 2; p += 2, bytes -= 2) sum += get16(p);
    return bytes ? sum + (u32)(p[0] << 8) : sum;
}

u16 net_fold(u32 sum)
{
    while (sum >> 16) sum = (sum & 0xFFFF) + (sum >> 16);
    return (u16)~sum;
}

u32 net_pseudo(u32 from, u32 to, u32 protocol, u32 bytes)
{
    return (from >> 16) + (from & 0xFFFF) + (to >> 16) + (to & 0xFFFF) + protocol + bytes;
}

void net_send_ip(u8 *frame, const u8 *to_mac, u32 to, u32 protocol, u32 payload)
{
    static u16 id;
    u8 *ip = frame + ETH_BYTES;
    memcpy(frame + ETH_TO, to_mac, 6);
    memcpy(frame + ETH_FROM, nic_mac, 6);
    put16(frame + ETH_TYPE, 0x0800);
    put16(ip, 0x4500);
    put16(ip + IP_TOTAL, IP_BYTES + payload);
    put16(ip + IP_ID, id++);
    put16(ip + IP_FRAGMENT, 0x4000);
    ip[IP_TTL] = 64;
    ip[IP_PROTOCOL] = (u8)protocol;
    put16(ip + IP_CHECK, 0);
    put32(ip + IP_FROM, net_address);
    put32(ip + IP_TO, to);
    put16(ip + IP_CHECK, net_fold(net_sum(ip, IP_BYTES, 0)));
    nic_send(frame, ETH_BYTES + IP_BYTES + payload);
}

/* RFC 826: a request for our address gets its answer; what is said of others is not kept. */
static void take_arp(u8 *frame, u32 bytes)
{
    u8 *arp = frame + ETH_BYTES;
    if (bytes < ETH_BYTES + ARP_BYTES || get32(arp) != 0x00010800 || get32(arp + 4) != 0x06040001) return;
    if (get32(arp + ARP_TPA) != net_address) return;
    put16(arp + ARP_OPER, 2);
    memcpy(arp + ARP_THA, arp + ARP_SHA, 6);
    memcpy(arp + ARP_TPA, arp + ARP_SPA, 4);
    memcpy(arp + ARP_SHA, nic_mac, 6);
    put32(arp + ARP_SPA, net_address);
    memcpy(frame + ETH_TO, arp + ARP_THA, 6);
    memcpy(frame + ETH_FROM, nic_mac, 6);
    nic_send(frame, ETH_BYTES + ARP_BYTES);
}

/* RFC 792: an echo request goes back as its reply. */
static void take_icmp(u8 *frame, u8 *icmp, u32 bytes)
{
    if (bytes < 8 || icmp[0] != 8 || icmp[1] != 0 || net_fold(net_sum(icmp, bytes, 0)) != 0) return;
    u8 to_mac[6];
    u32 to = get32(frame + ETH_BYTES + IP_FROM);
    memcpy(to_mac, frame + ETH_FROM, 6);
    icmp[0] = 0;
    put16(icmp + 2, 0);
    put16(icmp + 2, net_fold(net_sum(icmp, bytes, 0)));
    if (icmp != frame + ETH_BYTES + IP_BYTES) return; /* with IP options it would not stand where the answer does */
    net_send_ip(frame, to_mac, to, PROTO_ICMP, bytes);
}

/* RFC 862 over RFC 768. Addresses and ports change places, so the checksum stays what it is. */
static void take_udp(u8 *frame, u8 *udp, u32 bytes)
{
    if (bytes < 8) return;
    u32 length = get16(udp + 4), from = get32(frame + ETH_BYTES + IP_FROM);
    if (length < 8 || length > bytes || get16(udp + 2) != udp_echo_port || udp != frame + ETH_BYTES + IP_BYTES) return;
    u32 sum = net_pseudo(from, net_address, PROTO_UDP, length);
    if (get16(udp + 6) != 0 && net_fold(net_sum(udp, length, sum)) != 0) return;
    u8 to_mac[6];
    memcpy(to_mac, frame + ETH_FROM, 6);
    u32 port = get16(udp);
    put16(udp, udp_echo_port);
    put16(udp + 2, port);
    net_send_ip(frame, to_mac, from, PROTO_UDP, length);
}

void net_take(u8 *frame, u32 bytes)
{
    if (bytes < ETH_BYTES) return;
    if (get16(frame + ETH_TYPE) == 0x0806) {
        take_arp(frame, bytes);
        return;
    }
    u8 *ip = frame + ETH_BYTES;
    if (get16(frame + ETH_TYPE) != 0x0800 || bytes < ETH_BYTES + IP_BYTES || ip[0] >> 4 != 4) return;
    u32 header = (ip[0] & 15) * 4u, total = get16(ip + IP_TOTAL);
    if (header < IP_BYTES || total < header || total > bytes - ETH_BYTES) return;
    if (get32(ip + IP_TO) != net_address || net_fold(net_sum(ip, header, 0)) != 0) return;
    if (get16(ip + IP_FRAGMENT) & 0x3FFF) return; /* fragments: peers find the path's MTU instead */
    u8 *payload = ip + header;
    if (ip[IP_PROTOCOL] == PROTO_ICMP) take_icmp(frame, payload, total - header);
    if (ip[IP_PROTOCOL] == PROTO_UDP) take_udp(frame, payload, total - header);
    if (ip[IP_PROTOCOL] == PROTO_TCP) tcp_take(frame + ETH_FROM, get32(ip + IP_FROM), payload, total - header);
}
