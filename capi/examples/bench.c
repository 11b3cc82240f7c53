/* What decoding, a header, masking and UTF-8 cost, in ns, beside a plain loop and wslay. bench.rs is its twin in Rust, on the
 * same wire; `examples/bench_table` runs both in turn.
 *
 *     cc -O2 bench.c $(pkg-config --cflags --libs framewire) -lwslay -o bench && ./bench
 *
 * The wire is 64 KiB of masked text messages, as a read brings them. The key and the text are ASCII, and so is the text
 * unmasked: so the same bytes can be decoded again and again. Each line is what is measured, the length of a message, and the
 * least time for one of several rounds. */
#define _GNU_SOURCE
#include <framewire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wslay/wslay.h>

enum { WIRE = 64 * 1024, ROUNDS = 9 };
static const size_t sizes[] = {16, 125, 1024, 16384};
static const uint8_t key[4] = {1, 2, 4, 8};

static uint8_t wire[WIRE], payload[16384];
static size_t wire_len, messages;
static volatile size_t seen; /* so that nothing is optimised away */

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

static void make_wire(size_t size) {
    wire_len = messages = 0;
    while (wire_len + FW_HEADER_MAX + size <= WIRE) {
        fw_header header = {.payload_len = size, .opcode = 1, .fin = 1, .masked = 1};
        memcpy(header.key, key, 4);
        wire_len += (size_t)fw_header_write(&header, wire + wire_len, WIRE - wire_len);
        memset(wire + wire_len, 'p', size);
        wire_len += size;
        messages++;
    }
}

/* Each takes the whole wire, or the payload as often as there are messages. */

static fw_connection connection;

static void with_framewire(size_t size) {
    uint8_t *data = wire;
    size_t len = wire_len, bytes = 0;
    fw_event event;
    while (fw_receive(&connection, &data, &len, &event) == 1) bytes += event.len;
    if (bytes != messages * size) abort();
    seen += bytes;
}

/* Headers one after the other, as in a buffer for a write. */
static void header_framewire(size_t size) {
    uint8_t headers[1024];
    size_t at = 0;
    for (size_t i = 0; i < messages; i++) {
        if (at > sizeof headers - FW_HEADER_MAX) at = 0;
        at += (size_t)fw_message(&connection, FW_TEXT, 0, size, NULL, headers + at, sizeof headers - at);
        __asm__ volatile("" : : "r"(headers) : "memory");
    }
    seen += at;
}

static wslay_event_context_ptr context;
static size_t taken, wslay_bytes;

static ssize_t wslay_recv(wslay_event_context_ptr ctx, uint8_t *to, size_t len, int flags, void *data) {
    (void)flags, (void)data;
    if (taken == wire_len) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    if (len > wire_len - taken) len = wire_len - taken;
    memcpy(to, wire + taken, len);
    taken += len;
    return (ssize_t)len;
}

static void wslay_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *arg, void *data) {
    (void)ctx, (void)data;
    wslay_bytes += arg->msg_length;
}

static void with_wslay(size_t size) {
    taken = wslay_bytes = 0;
    if (wslay_event_recv(context) || wslay_bytes != messages * size) abort();
    seen += wslay_bytes;
}

static void mask_framewire(size_t size) {
    for (size_t i = 0; i < messages; i++) fw_mask(payload, payload, size, key, 0);
    seen += payload[0];
}

static void mask_loop(size_t size) {
    for (size_t i = 0; i < messages; i++) {
        for (size_t at = 0; at < size; at++) payload[at] ^= key[at % 4];
        __asm__ volatile("" ::: "memory");
    }
    seen += payload[0];
}

static void utf8_framewire(size_t size) {
    for (size_t i = 0; i < messages; i++) seen += fw_utf8_check(payload, size, NULL) == FW_OK;
}

/* A text that is ASCII, which is the best that a loop over single bytes can meet. */
static void utf8_loop(size_t size) {
    for (size_t i = 0; i < messages; i++) {
        size_t at = 0;
        while (at < size && payload[at] < 0x80) at++;
        seen += at;
        __asm__ volatile("" ::: "memory");
    }
}

static void measure(const char *what, size_t size, void (*run)(size_t)) {
    double best = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        double began = now(), time;
        size_t turns = 0;
        do run(size), turns++;
        while ((time = now() - began) < 5e6); /* 5 ms */
        time /= (double)(turns * messages);
        if (time < best) best = time;
    }
    printf("%s %zu %.2f\n", what, size, best);
    fflush(stdout);
}

int main(void) {
    struct wslay_event_callbacks callbacks = {.recv_callback = wslay_recv, .on_msg_recv_callback = wslay_message};
    if (fw_init(&connection, sizeof connection, FW_SERVER, NULL) || wslay_event_context_server_init(&context, &callbacks, NULL))
        return 1;
    memset(payload, 'p', sizeof payload);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        make_wire(sizes[i]);
        measure("decode-framewire-c", sizes[i], with_framewire);
        measure("decode-wslay", sizes[i], with_wslay);
        if (messages > 9) measure("header-framewire-c", sizes[i], header_framewire); /* or else it measures the clock */
        measure("mask-framewire-c", sizes[i], mask_framewire);
        measure("mask-loop", sizes[i], mask_loop);
        measure("utf8-framewire-c", sizes[i], utf8_framewire);
        measure("utf8-loop", sizes[i], utf8_loop);
    }
    wslay_event_context_free(context);
    return 0;
}
