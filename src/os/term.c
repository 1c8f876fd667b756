#include "os/term.h"

#include "base/arena.h"
#include "os/signals.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct term term_open(int fd) {
    struct term term = {.fd = fd, .terminal = isatty(fd) == 1, .width = TERM_WIDTH_DEFAULT};
    if (!term.terminal) return term;
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) term.width = size.ws_col;
    if (term.width < TERM_WIDTH_MIN) term.width = TERM_WIDTH_MIN;
    if (term.width > TERM_WIDTH_MAX) term.width = TERM_WIDTH_MAX;
    struct str no_color = str_of(getenv("NO_COLOR")), kind = str_of(getenv("TERM"));
    term.color = no_color.len == 0 && kind.len > 0 && !str_eq(kind, S("dumb"));
    return term;
}

bool term_write(const struct term *term, struct str text) {
    while (text.len > 0) {
        ssize_t n = write(term->fd, text.data, (size_t)text.len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        text = str_from(text, n);
    }
    return true;
}

/* The longest beginning of `text` that fits into `columns`. */
static struct str cut_columns(struct str text, int32_t columns) {
    int32_t n = 0;
    for (ptrdiff_t i = 0; i < text.len; i++) {
        if (((unsigned char)text.data[i] & 0xC0) == 0x80) continue;
        if (n++ == columns) return str_slice(text, 0, i);
    }
    return text;
}

void term_line(const struct term *term, struct str text) {
    if (!term->terminal) return;
    (void)term_write(term, S("\r\033[K"));
    (void)term_write(term, cut_columns(text, term->width - 1));
}

bool term_can_ask(void) {
    return isatty(0) == 1;
}

bool term_ask(const struct term *term, struct str question) {
    (void)term_write(term, question);
    char answer[TERM_ANSWER_MAX];
    ssize_t n;
    /* A signal that is held back does not end the reading by itself. */
    struct pollfd input = {.fd = 0, .events = POLLIN};
    while (poll(&input, 1, TERM_POLL_MS) == 0)
        if (signals_waiting()) break;
    if (signals_waiting()) {
        (void)term_write(term, S("\n"));
        return false;
    }
    do n = read(0, answer, sizeof answer);
    while (n < 0 && errno == EINTR);
    struct str word = n > 0 ? str_trim((struct str){answer, n}) : S("");
    return str_eq_nocase(word, S("y")) || str_eq_nocase(word, S("yes"));
}

/* Bytes of the well-formed UTF-8 character at the start of `text`, 0 if there is none; its code point in `ret`. */
static ptrdiff_t character(struct str text, uint32_t *ret) {
    unsigned char first = (unsigned char)text.data[0];
    ptrdiff_t len = first < 0x80 ? 1 : first < 0xC0 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (len == 0 || len > text.len || !str_is_utf8(str_slice(text, 0, len))) return 0;
    uint32_t code = len == 1 ? first : first & (0xFFU >> (len + 1));
    for (ptrdiff_t i = 1; i < len; i++) code = code << 6 | ((unsigned char)text.data[i] & 0x3FU);
    *ret = code;
    return len;
}

static bool steers(uint32_t code) {
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x61C || code == 0x200E || code == 0x200F ||
           (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;
}

void term_escape(struct buf *buf, struct str text) {
    while (text.len > 0) {
        uint32_t code = 0;
        ptrdiff_t len = character(text, &code);
        if (len > 0 && !steers(code)) {
            buf_add(buf, str_slice(text, 0, len));
        } else {
            if (len == 0) len = 1;
            for (ptrdiff_t i = 0; i < len; i++) buf_addf(buf, "\\x%02X", (unsigned)(unsigned char)text.data[i]);
        }
        text = str_from(text, len);
    }
}

struct str term_quote(struct arena *arena, struct str text) {
    struct buf buf = {.arena = arena};
    term_escape(&buf, str_slice(text, 0, TERM_QUOTE_MAX));
    if (text.len > TERM_QUOTE_MAX) buf_add(&buf, S("…"));
    return buf_str(&buf);
}

int32_t term_columns(struct str text) {
    int32_t n = 0;
    for (ptrdiff_t i = 0; i < text.len; i++) n += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return n;
}
