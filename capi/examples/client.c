/* A client on a blocking socket: sends each TEXT as a message, and prints as many messages as it has sent. Without a TEXT it
 * prints what arrives until the server closes. With --echo it sends everything back until then, which is how Autobahn tests
 * a client. It offers permessage-deflate.
 *
 *     cc -O2 client.c $(pkg-config --cflags --libs framewire) -o client && ./client ws://127.0.0.1:9001/ hello */
#define _GNU_SOURCE
#include <framewire.h>
#include <framewire/deflate.h>
#include <framewire/handshake.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
    int fd;
    fw_connection ws;
    fw_inflater *inflater; /* NULL if the server does not compress */
    fw_deflater *deflater;
    fw_inflate_pool *inflate;
    fw_deflate_pool *deflate;
};

static uint8_t rx[64 * 1024];

static void fail(const char *what) {
    fprintf(stderr, "client: %s\n", what);
    exit(1);
}

/* A masking key: new for each frame, and from the operating system. */
static const uint8_t *fresh(uint8_t *key) {
    if (getrandom(key, 4, 0) != 4) fail("no randomness");
    return key;
}

static int write_all(int fd, const void *data, size_t len, int flags) {
    for (const uint8_t *at = data; len > 0;) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL | flags);
        if (n <= 0) return -1;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Sends a frame that the library has made; a negative length is its error, and 0 is no frame. */
static void send_frame(struct client *client, const uint8_t *frame, int len) {
    if (len > 0) write_all(client->fd, frame, (size_t)len, 0);
}

/* Sends a fragment; one that is also the first and the last is a whole message. It masks the data in place. */
static int send_data(struct client *client, int kind, uint8_t *data, size_t len, int last) {
    uint8_t key[4], header[FW_HEADER_MAX];
    const uint8_t *payload = data;
    fresh(key);
    int n;
    if (client->deflater) {
        n = fw_deflate_fragment(client->deflater, &client->ws, client->deflate, kind, data, len, last, key, header,
                                sizeof header, &payload, &len);
    } else {
        n = fw_fragment(&client->ws, kind, 0, len, last, key, header, sizeof header);
        if (n > 0) fw_mask(data, data, len, key, 0);
    }
    if (n < 0) return n;
    /* MSG_MORE: header and payload leave together */
    return write_all(client->fd, header, (size_t)n, len ? MSG_MORE : 0) || write_all(client->fd, payload, len, 0);
}

/* A part of a message has arrived; with --echo, they are collected, as a server may well not read before it has sent all of
 * the message. Returns whether the message ends with it. */
static int arrived(struct client *client, const fw_event *part, int echo) {
    static uint8_t *message;
    static size_t len;
    if (!echo) {
        printf("%.*s%s", (int)part->len, (const char *)part->data, part->last ? "\n" : "");
        return part->last;
    }
    message = realloc(message, len + part->len + 1);
    if (!message) fail("no memory");
    memcpy(message + len, part->data, part->len);
    len += part->len;
    if (!part->last) return 0;
    send_data(client, part->kind, message, len, 1);
    len = 0;
    return 1;
}

/* Takes what was read. Returns the number of messages that it has completed, or the error of the peer. */
static int receive(struct client *client, uint8_t *data, size_t len, int echo) {
    uint8_t key[4], out[FW_CONTROL_MAX];
    fw_event event, part;
    int result, messages = 0;
    while ((result = fw_receive(&client->ws, &data, &len, &event)) == 1) {
        if (event.type != FW_EVENT_MESSAGE && event.type != FW_EVENT_PART) {
            send_frame(client, out, fw_reply(&client->ws, &event, fresh(key), out, sizeof out));
        } else if (!event.rsv) {
            messages += arrived(client, &event, echo);
        } else {
            while ((result = fw_inflate(client->inflater, client->inflate, &event, &part)) == 1)
                messages += arrived(client, &part, echo);
            if (result < 0) break;
        }
    }
    if (result < 0) {
        send_frame(client, out, fw_fail(&client->ws, result, fresh(key), out, sizeof out));
        fprintf(stderr, "client: %s: %s\n", fw_error_name(result), fw_error_text(result));
        return result;
    }
    return messages;
}

static int connect_to(char *host, char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(host, port, &hints, &found)) fail("unknown host");
    int fd = -1;
    for (struct addrinfo *at = found; at && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen)) close(fd), fd = -1;
    }
    freeaddrinfo(found);
    if (fd < 0) fail("cannot connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

/* The opening handshake. Frames that came with the answer are moved to the front of rx; returns their length. */
static size_t open_ws(struct client *client, const char *host, const char *target) {
    /* If an offer allows it, a server may limit our window, or forbid us to keep it. */
    fw_deflate offers[2] = {{0, 0, 0, 15}, {0, 1, 0, 15}};
    fw_opening opening = {.host = {host, strlen(host)}, .target = {target, strlen(target)}, .offers = offers, .offer_count = 2};
    fw_opened opened;
    if (getrandom(opening.nonce, sizeof opening.nonce, 0) != sizeof opening.nonce) fail("no randomness");
    int n = fw_opening_write(&opening, rx, sizeof rx);
    if (n < 0) fail(fw_error_text(n));
    if (write_all(client->fd, rx, (size_t)n, 0)) fail("cannot write");
    size_t len = 0;
    while ((n = fw_opening_check(&opening, rx, len, &opened)) == 0) {
        ssize_t got = recv(client->fd, rx + len, sizeof rx - len, 0);
        if (got <= 0) fail("the server has closed during the handshake");
        len += (size_t)got;
    }
    if (n < 0) fail(fw_error_text(n));
    fw_config config = {.extension_bits = opened.has_deflate ? FW_RSV1 : 0};
    fw_init(&client->ws, sizeof client->ws, FW_CLIENT, &config);
    if (opened.has_deflate) {
        client->inflate = fw_inflate_pool_new(NULL);
        client->deflate = fw_deflate_pool_new(NULL);
        if (fw_inflater_new(FW_CLIENT, &opened.deflate, client->inflate, &client->inflater) ||
            fw_deflater_new(FW_CLIENT, &opened.deflate, &client->deflater))
            fail("no memory for compression");
    }
    memmove(rx, rx + n, len - (size_t)n);
    return len - (size_t)n;
}

int main(int argc, char **argv) {
    int echo = argc > 1 && !strcmp(argv[1], "--echo"), first = 1 + echo;
    char host[256] = "", target[1024] = "/", name[256], port[6] = "80";
    if (argc <= first || sscanf(argv[first], "ws://%255[^/]%1023s", host, target) < 1)
        fail("usage: client [--echo] ws://HOST[:PORT][/PATH] [TEXT]...");
    if (sscanf(host, "%255[^:]:%5[0-9]", name, port) < 1) fail("no host");
    struct client client = {.fd = connect_to(name, port)};
    ssize_t n = (ssize_t)open_ws(&client, host, target);

    int texts = argc - first - 1, answered = 0, failed = 0;
    for (int i = 0; i < texts; i++) {
        char *text = argv[first + 1 + i];
        if (send_data(&client, FW_TEXT, (uint8_t *)text, strlen(text), 1)) fail("cannot send");
    }
    do {
        int result = failed ? 0 : receive(&client, rx, (size_t)n, echo); /* after an error, the rest is discarded */
        if (result < 0) failed = 1;
        answered += result;
        if (texts > 0 && answered >= texts) { /* an error if we have closed already, which does not matter */
            uint8_t key[4], out[FW_CONTROL_MAX];
            send_frame(&client, out, fw_close(&client.ws, 1000, NULL, 0, fresh(key), out, sizeof out));
        }
        if (fw_state(&client.ws) == FW_STATE_CLOSED) shutdown(client.fd, SHUT_WR);
    } while ((n = recv(client.fd, rx, sizeof rx, 0)) > 0);
    if (fw_receive_eof(&client.ws) < 0) failed = 1; /* the server ended the stream without a close */
    close(client.fd);
    fw_inflater_free(client.inflater);
    fw_deflater_free(client.deflater);
    fw_inflate_pool_free(client.inflate);
    fw_deflate_pool_free(client.deflate);
    return failed;
}
