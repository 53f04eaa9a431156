/*
 * Content that no compressor makes smaller: each write gives a page 1024 words of a linear congruential generator
 * started anew (a = 5, c odd, m = 2^32: full period, Knuth, TAOCP 3.2.1.2; no test of randomness, but no byte of it
 * repeats another). It is one instruction a word, since the writing should cost memory and not the processor. Pages
 * are chosen, and generators started, by xorshift (Marsaglia, "Xorshift RNGs", 2003).
 * The first word is remembered and the last is its complement, so that a page which is not what was last written to it
 * is seen by the machine itself, at its next turn.
 */
#include "memory.h"

extern u8 _end[];

#define AT_A_TIME 8u          /* pages written before the network is looked at again */
#define MAX_DEBT_US 20000u    /* a machine that could not keep up owes at most this much time of writes */

static const struct params *given;
static u32 *hot;               /* the hot set's first page */
static u32 *first_words;       /* of each hot page: what it began with when last written */
static u32 hot_pages, state = 0x1234567, cursor;
static u32 bytes_due, pages_due, mismatches;

static inline u32 xorshift(u32 x)
{
    x ^= x << 13;
    x ^= x >> 17;
    return x ^ x << 5;
}

static u32 draw(void)
{
    return state = xorshift(state);
}

static void fill(u32 *page, u32 x)
{
    u32 first = x;
#define NEXT(i) (page[i] = x, x = x * 5 + 0x3C6EF35F)
    for (u32 *end = page + PAGE_WORDS; page < end; page += 16) {
        NEXT(0), NEXT(1), NEXT(2), NEXT(3), NEXT(4), NEXT(5), NEXT(6), NEXT(7);
        NEXT(8), NEXT(9), NEXT(10), NEXT(11), NEXT(12), NEXT(13), NEXT(14), NEXT(15);
    }
#undef NEXT
    page[-1] = ~first;
}

static void write_page(u32 index)
{
    u32 *page = hot + index * PAGE_WORDS;
    if (given->random_fill && (page[0] != first_words[index] || page[PAGE_WORDS - 1] != ~first_words[index])) {
        mismatches++;
        say("metal: page %u is not what was written to it (%u so far)\n", ((u32)page) / PAGE_BYTES, mismatches);
    }
    u32 x = draw();
    if (given->whole_pages) fill(page, x);
    else page[0] = x, page[PAGE_WORDS - 1] = ~x;
    first_words[index] = page[0];
}

void memory_start(const struct params *p, u32 end)
{
    u32 from = ((u32)_end + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    u32 pages = end > from ? (end - from) / PAGE_BYTES : 0;
    given = p;
    state = xorshift(state ^ p->seed * 0x9E3779B1u) | 1;
    first_words = (u32 *)from;
    hot_pages = p->hot * 256;
    u32 table = (hot_pages * 4 + PAGE_BYTES - 1) / PAGE_BYTES;
    if (pages < table + hot_pages) {
        hot_pages = pages > 8 ? (pages - pages / 512 - 1) : 0;
        table = (hot_pages * 4 + PAGE_BYTES - 1) / PAGE_BYTES;
    }
    hot = first_words + table * PAGE_WORDS;
    for (u32 i = 0; p->random_fill && i + table < pages; i++) {
        fill(hot + i * PAGE_WORDS, draw());
        if (i < hot_pages) first_words[i] = hot[i * PAGE_WORDS];
    }
}

u32 memory_hot_pages(void)
{
    return hot_pages;
}

int memory_work(u32 us, u32 ticks_passed)
{
    if (hot_pages == 0) return 0;
    /* One MB/s is one byte a microsecond. */
    u32 most = given->dirty * MAX_DEBT_US;
    bytes_due += us * given->dirty;
    if (bytes_due > most) bytes_due = most;
    pages_due += ticks_passed * given->pages;
    if (pages_due > 20 * given->pages) pages_due = 20 * given->pages;

    u32 due = bytes_due / PAGE_BYTES + pages_due, n = due < AT_A_TIME ? due : AT_A_TIME;
    for (u32 i = 0; i < n; i++) {
        write_page(given->sweep ? cursor : (u32)((u64)draw() * hot_pages >> 32));
        cursor = cursor + 1 < hot_pages ? cursor + 1 : 0;
        if (pages_due > 0) pages_due--;
        else bytes_due -= PAGE_BYTES;
    }
    return due > n;
}
