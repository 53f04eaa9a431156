#include "params.h"

static int is_word(const char *text, u32 length, const char *word)
{
    u32 i = 0;
    while (i < length && word[i] != 0 && word[i] == text[i]) i++;
    return i == length && word[i] == 0;
}

static int number(const char *text, u32 length, u32 low, u32 high, u32 *to)
{
    u32 v = 0;
    for (u32 i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || v > 400000000) return 0;
        v = v * 10 + (u32)(text[i] - '0');
    }
    if (length == 0 || v < low || v > high) return 0;
    *to = v;
    return 1;
}

static int address(const char *text, u32 length, u32 *to)
{
    u32 v = 0, part = 0, parts = 0, start = 0;
    for (u32 i = 0; i <= length; i++) {
        if (i < length && text[i] != '.') continue;
        if (!number(text + start, i - start, 0, 255, &part)) return 0;
        v = v << 8 | part;
        parts++;
        start = i + 1;
    }
    if (parts == 4) *to = v;
    return parts == 4;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int station(const char *text, u32 length, u8 *to)
{
    u8 mac[6];
    if (length != 17) return 0;
    for (u32 i = 0; i < 6; i++) {
        int high = hex(text[3 * i]), low = hex(text[3 * i + 1]);
        if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':')) return 0;
        mac[i] = (u8)(high << 4 | low);
    }
    if (mac[0] & 1) return 0; /* a group address */
    memcpy(to, mac, 6);
    return 1;
}

/* One of two words: sets *to to 1 for the first, 0 for the second. */
static int either(const char *text, u32 length, const char *one, const char *other, u32 *to)
{
    if (!is_word(text, length, one) && !is_word(text, length, other)) return 0;
    *to = (u32)is_word(text, length, one);
    return 1;
}

static int one(const char *name, u32 n, const char *v, u32 m, struct params *p)
{
    if (is_word(name, n, "ip")) return address(v, m, &p->ip);
    if (is_word(name, n, "mac")) return p->has_mac = (u8)station(v, m, p->mac);
    if (is_word(name, n, "echo")) return number(v, m, 0, 65535, &p->echo);
    if (is_word(name, n, "udp")) return number(v, m, 0, 65535, &p->udp);
    if (is_word(name, n, "counter")) return number(v, m, 0, 65535, &p->counter);
    if (is_word(name, n, "lines")) return number(v, m, 0, 1000, &p->lines);
    if (is_word(name, n, "heartbeat")) return number(v, m, 0, 3600000, &p->heartbeat);
    if (is_word(name, n, "hz")) return number(v, m, 20, 10000, &p->hz);
    if (is_word(name, n, "dirty")) return number(v, m, 0, 20000, &p->dirty);
    if (is_word(name, n, "pages")) return number(v, m, 0, 100000, &p->pages);
    if (is_word(name, n, "hot")) return number(v, m, 1, 4095, &p->hot);
    if (is_word(name, n, "seed")) return number(v, m, 0, 400000000, &p->seed);
    if (is_word(name, n, "fill")) return either(v, m, "random", "none", &p->random_fill);
    if (is_word(name, n, "write")) return either(v, m, "page", "word", &p->whole_pages);
    if (is_word(name, n, "order")) return either(v, m, "sweep", "uniform", &p->sweep);
    return 0;
}

void params_read(const char *line, struct params *p)
{
    while (*line) {
        while (*line == ' ') line++;
        const char *word = line;
        u32 equals = 0, length = 0;
        for (; *line && *line != ' '; line++, length++)
            if (*line == '=' && equals == 0) equals = length;
        /* Loaders put the image's path first: a word without "=" is not for us. */
        if (equals == 0 || one(word, equals, word + equals + 1, length - equals - 1, p)) continue;
        say("metal: cannot read parameter ");
        for (u32 i = 0; i < length; i++) {
            char c[2] = { word[i], 0 };
            say("%s", c);
        }
        say("\n");
    }
}
