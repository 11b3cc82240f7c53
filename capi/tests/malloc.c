/* Replaces malloc, as jemalloc, mimalloc or a program of its own does, and counts: connections and handshakes take no
 * memory; pools, inflaters and deflaters take all of theirs from this malloc, and give it back.
 *
 *     cc malloc.c $(pkg-config --cflags --libs framewire) -o malloc && ./malloc */
#include <errno.h>
#include <framewire.h>
#include <framewire/deflate.h>
#include <framewire/handshake.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------------- malloc */

/* Memory is taken from the front of an arena, and not used again. In front of each block lies its size. */
static _Alignas(4096) unsigned char arena[16 << 20];
static size_t used, calls, live;

static void *take(size_t align, size_t size) {
    if (align < 16) align = 16;
    size_t at = (used + 16 + align - 1) / align * align;
    if (size > sizeof arena || at > sizeof arena - size) return NULL;
    memcpy(arena + at - 16, &size, sizeof size);
    used = at + size;
    calls++, live++;
    return arena + at;
}

void *malloc(size_t size) { return take(1, size); }

void *calloc(size_t count, size_t size) { /* the arena is zero */
    return size && count > sizeof arena / size ? NULL : take(1, count * size);
}

void *realloc(void *old, size_t size) {
    size_t before = 0;
    void *new = take(1, size);
    if (!old || !new) return new;
    memcpy(&before, (unsigned char *)old - 16, sizeof before);
    memcpy(new, old, before < size ? before : size);
    live--;
    return new;
}

int posix_memalign(void **out, size_t align, size_t size) { return (*out = take(align, size)) ? 0 : ENOMEM; }

void *aligned_alloc(size_t align, size_t size) { return take(align, size); }

void free(void *block) {
    if (block) live--;
}

/* -------------------------------------------------------------------------------------------------------------- checks */

#define CHECK(fact)                                                  \
    do {                                                             \
        if (!(fact)) {                                               \
            fprintf(stderr, "line %d: not %s\n", __LINE__, #fact);   \
            exit(1);                                                 \
        }                                                            \
    } while (0)

static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};

/* Masking, UTF-8 and headers. */
static void values(void) {
    uint8_t text[] = "gr\xc3\xbc\xc3\x9f Gott";
    char accept[FW_ACCEPT_SIZE];
    fw_utf8 state = {0};
    fw_header header;
    CHECK(fw_mask(text, text, 11, key, 0) == FW_OK && fw_mask(text, text, 11, key, 0) == FW_OK);
    CHECK(fw_utf8_check(text, 11, NULL) == FW_OK);
    CHECK(fw_utf8_feed(&state, text, 3, NULL) == FW_OK && fw_utf8_finish(&state) == FW_E_INVALID_UTF8);
    CHECK(fw_header_parse((const uint8_t *)"\x81\x05Hello", 7, &header) == 2 && header.payload_len == 5);
    CHECK(fw_accept_key("dGhlIHNhbXBsZSBub25jZQ==", 24, accept) == FW_OK && accept[0] == 's');
    CHECK(strcmp(fw_error_name(FW_E_BUSY), "FW_E_BUSY") == 0);
}

/* Passes bytes on to a connection, one at a time, and returns the last event, or the error. */
static int receive(fw_connection *to, const uint8_t *bytes, size_t len, fw_event *event) {
    static uint8_t rx;
    int result = 0;
    event->type = FW_EVENT_NONE;
    for (size_t i = 0; i < len && result >= 0; i++) {
        uint8_t *data = &rx;
        size_t one = 1;
        rx = bytes[i];
        while ((result = fw_receive(to, &data, &one, event)) == 1) continue;
    }
    return result;
}

/* Two connections: a message in fragments, a ping whose frame is split, an error, and a close. */
static void connections(void) {
    fw_connection server, client;
    fw_event event;
    uint8_t out[FW_CONTROL_MAX];
    int n;
    CHECK(fw_init(&server, sizeof server, FW_SERVER, NULL) == FW_OK);
    CHECK(fw_init(&client, sizeof client, FW_CLIENT, NULL) == FW_OK);
    CHECK((n = fw_fragment(&server, FW_TEXT, 0, 5, 0, NULL, out, sizeof out)) == 2);
    memcpy(out + n, "Hello", 5);
    CHECK(receive(&client, out, (size_t)n + 5, &event) == 0 && event.type == FW_EVENT_PART);
    CHECK((n = fw_ping(&server, (const uint8_t *)"ping", 4, NULL, out, sizeof out)) == 6);
    CHECK(receive(&client, out, (size_t)n, &event) == 0 && event.type == FW_EVENT_PING && event.len == 4);
    CHECK((n = fw_reply(&client, &event, key, out, sizeof out)) == 10);
    CHECK(receive(&server, out, (size_t)n, &event) == 0 && event.type == FW_EVENT_PONG);
    CHECK((n = fw_close(&server, 1001, (const uint8_t *)"bye", 3, NULL, out, sizeof out)) == 7);
    CHECK(receive(&client, out, (size_t)n, &event) == 0 && event.type == FW_EVENT_CLOSE && event.code == 1001);
    CHECK(receive(&server, (const uint8_t *)"\x81\x00", 2, &event) == FW_E_MASK_MISSING);
    CHECK(fw_fail(&client, FW_E_INVALID_UTF8, key, out, sizeof out) > 0);
}

/* The opening handshake, with an offer of compression, and a request that is refused. */
static void handshake(fw_deflate *agreed) {
    fw_str protocol = FW_STR("chat");
    fw_deflate offer = {0};
    fw_opening opening = {0};
    fw_opened opened;
    fw_request request;
    fw_answer answer = {0};
    uint8_t asked[1024], answered[1024];
    int n;
    opening.host = (fw_str)FW_STR("test.example");
    opening.subprotocols = &protocol, opening.subprotocol_count = 1;
    opening.offers = &offer, opening.offer_count = 1;
    CHECK((n = fw_opening_write(&opening, asked, sizeof asked)) > 0);
    CHECK(fw_request_parse(asked, (size_t)n, &request) == n && request.upgrade);
    CHECK(fw_request_subprotocol(&request, &protocol, 1, &answer.subprotocol) == 1);
    CHECK(fw_request_deflate(&request, NULL, agreed) == 1);
    answer.deflate = agreed;
    CHECK((n = fw_answer_write(&request, &answer, answered, sizeof answered)) > 0);
    CHECK(fw_opening_check(&opening, answered, (size_t)n, &opened) == n && opened.has_deflate);
    CHECK(fw_request_parse((const uint8_t *)"NONSENSE\r\n\r\n", 12, &request) == FW_E_INVALID_REQUEST_LINE);
    CHECK(fw_refusal_write(FW_E_INVALID_REQUEST_LINE, answered, sizeof answered) > 0);
    CHECK(fw_response_write(200, (fw_str)FW_STR("ok"), NULL, 0, answered, sizeof answered) > 0);
}

/* Compresses a text, and inflates it. */
static void deflate(const fw_deflate *agreed) {
    static uint8_t text[2000], wire[2100];
    fw_config config = {0};
    fw_connection server, client;
    fw_deflater *deflater;
    fw_inflater *inflater;
    fw_deflate_pool *compressors = fw_deflate_pool_new(NULL);
    fw_inflate_pool *decompressors = fw_inflate_pool_new(NULL);
    fw_event event, part;
    uint8_t *data = wire;
    const uint8_t *payload;
    size_t len, inflated = 0;
    int n;
    memset(text, 'x', sizeof text);
    config.extension_bits = FW_RSV1;
    CHECK(fw_init(&server, sizeof server, FW_SERVER, &config) == FW_OK);
    CHECK(fw_init(&client, sizeof client, FW_CLIENT, &config) == FW_OK);
    CHECK(fw_deflater_new(FW_SERVER, agreed, &deflater) == FW_OK);
    CHECK(fw_inflater_new(FW_CLIENT, agreed, decompressors, &inflater) == FW_OK);
    n = fw_deflate_message(deflater, &server, compressors, FW_TEXT, text, sizeof text, NULL, wire, sizeof wire, &payload, &len);
    CHECK(n > 0 && len < 100);
    memcpy(wire + n, payload, len);
    len += (size_t)n;
    CHECK(fw_receive(&client, &data, &len, &event) == 1 && event.rsv == FW_RSV1);
    while (fw_inflate(inflater, decompressors, &event, &part) == 1) inflated += part.len;
    CHECK(inflated == sizeof text);
    fw_inflater_free(inflater);
    fw_deflater_free(deflater);
    fw_deflate_pool_free(compressors);
    fw_inflate_pool_free(decompressors);
}

int main(void) {
    fw_deflate agreed;
    size_t calls_before = calls, live_before = live;
    values();
    connections();
    handshake(&agreed);
    CHECK(calls == calls_before && live == live_before);
    deflate(&agreed);
    CHECK(calls > calls_before && live == live_before);
    return 0;
}
