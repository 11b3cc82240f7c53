/* An echo server with permessage-deflate, on a thread for each connection: the plainest way to see what compression takes.
 * A server with an event loop has one pair of pools for each thread of the loop.
 *
 *     cc -O2 deflate_server.c $(pkg-config --cflags --libs framewire) -pthread -o deflate_server && ./deflate_server 9001 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <framewire.h>
#include <framewire/deflate.h>
#include <framewire/handshake.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
    int fd;
    fw_connection ws;
    fw_inflater *inflater; /* NULL if the client does not want compression */
    fw_deflater *deflater;
    fw_inflate_pool *inflate;
    fw_deflate_pool *deflate;
    uint8_t *message; /* what has arrived of a message */
    size_t message_len;
    uint8_t rx[64 * 1024];
};

static int write_all(struct peer *peer, const uint8_t *data, size_t len, int flags) {
    while (len > 0) {
        ssize_t n = send(peer->fd, data, len, MSG_NOSIGNAL | flags);
        if (n <= 0) return -1;
        data += n, len -= (size_t)n;
    }
    return 0;
}

/* Collects the parts of a message, at most as many bytes as the limits of the connection and the pool allow, and sends it
 * back when it is whole: a client may well not read before it has sent all of it. Negative if the socket is broken. */
static int arrived(struct peer *peer, const fw_event *part) {
    uint8_t header[FW_HEADER_MAX], *larger = realloc(peer->message, peer->message_len + part->len + 1);
    if (!larger) abort();
    memcpy(larger + peer->message_len, part->data, part->len);
    peer->message = larger;
    peer->message_len += part->len;
    if (!part->last) return 0;
    const uint8_t *payload = peer->message;
    size_t len = peer->message_len;
    int n = peer->deflater ? fw_deflate_message(peer->deflater, &peer->ws, peer->deflate, part->kind, payload, len, NULL,
                                                header, sizeof header, &payload, &len)
                           : fw_message(&peer->ws, part->kind, 0, len, NULL, header, sizeof header);
    peer->message_len = 0;
    if (n < 0) return 0; /* we have sent our close */
    /* MSG_MORE: header and payload leave together */
    return write_all(peer, header, (size_t)n, len ? MSG_MORE : 0) || write_all(peer, payload, len, 0) ? -1 : 0;
}

/* Takes what was read; negative if the socket is broken. */
static int receive(struct peer *peer, uint8_t *data, size_t len) {
    uint8_t out[FW_CONTROL_MAX];
    fw_event event, part;
    int result, n = 0;
    while ((result = fw_receive(&peer->ws, &data, &len, &event)) == 1) {
        if (event.type != FW_EVENT_MESSAGE && event.type != FW_EVENT_PART) {
            if ((n = fw_reply(&peer->ws, &event, NULL, out, sizeof out)) > 0 && write_all(peer, out, (size_t)n, 0)) return -1;
        } else if (!event.rsv) {
            if (arrived(peer, &event)) return -1;
        } else {
            while ((result = fw_inflate(peer->inflater, peer->inflate, &event, &part)) == 1)
                if (arrived(peer, &part)) return -1;
            if (result < 0) break;
        }
    }
    if (result < 0 && (n = fw_fail(&peer->ws, result, NULL, out, sizeof out)) > 0 && write_all(peer, out, (size_t)n, 0)) return -1;
    if (fw_state(&peer->ws) == FW_STATE_CLOSED) shutdown(peer->fd, SHUT_WR);
    return 0;
}

/* The opening handshake. Returns the number of bytes of frames that came with it, at `*frames`; negative if it failed. */
static ssize_t handshake(struct peer *peer, uint8_t **frames) {
    fw_request request;
    uint8_t out[1024];
    size_t len = 0;
    int n;
    while ((n = fw_request_parse(peer->rx, len, &request)) == 0) {
        ssize_t got = recv(peer->fd, peer->rx + len, sizeof peer->rx - len, 0);
        if (got <= 0) return -1;
        len += (size_t)got;
    }
    if (n < 0 || !request.upgrade) {
        int m = fw_refusal_write(n < 0 ? n : FW_E_NOT_UPGRADE, out, sizeof out);
        if (m > 0) write_all(peer, out, (size_t)m, 0);
        return -1;
    }
    fw_deflate params;
    int compress = fw_request_deflate(&request, NULL, &params) == 1;
    if (compress) {
        fw_inflate_config one = {.messages = 1};
        peer->inflate = fw_inflate_pool_new(&one);
        peer->deflate = fw_deflate_pool_new(NULL);
        /* Before the answer: it must not promise a window that a pool of many connections may not have. */
        compress = !fw_inflater_new(FW_SERVER, &params, peer->inflate, &peer->inflater) &&
                   !fw_deflater_new(FW_SERVER, &params, &peer->deflater);
    }
    fw_answer answer = {.deflate = compress ? &params : NULL};
    int m = fw_answer_write(&request, &answer, out, sizeof out);
    if (m < 0 || write_all(peer, out, (size_t)m, 0)) return -1;
    fw_config config = {.extension_bits = compress ? FW_RSV1 : 0};
    fw_init(&peer->ws, sizeof peer->ws, FW_SERVER, &config);
    *frames = peer->rx + n;
    return (ssize_t)len - n;
}

static void *serve(void *argument) {
    struct peer *peer = argument;
    uint8_t *data = NULL;
    ssize_t n = handshake(peer, &data);
    if (n >= 0) {
        int broken = receive(peer, data, (size_t)n);
        while (!broken && (n = recv(peer->fd, peer->rx, sizeof peer->rx, 0)) > 0) {
            if (fw_state(&peer->ws) == FW_STATE_CLOSED) continue; /* until the peer has read our close, and closes */
            broken = receive(peer, peer->rx, (size_t)n);
        }
    }
    close(peer->fd);
    fw_inflater_free(peer->inflater);
    fw_deflater_free(peer->deflater);
    fw_inflate_pool_free(peer->inflate);
    fw_deflate_pool_free(peer->deflate);
    free(peer->message);
    free(peer);
    return NULL;
}

static void stop(int number) { _exit(number - SIGTERM); }

int main(int argc, char **argv) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 9001))};
    socklen_t at_len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    signal(SIGTERM, stop);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* inherited */
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1024) ||
        getsockname(listener, (struct sockaddr *)&at, &at_len)) {
        perror("deflate_server");
        return 1;
    }
    printf("listening on ws://127.0.0.1:%d/\n", ntohs(at.sin_port));
    fflush(stdout);
    for (;;) {
        pthread_t thread;
        struct peer *peer = calloc(1, sizeof *peer);
        if (!peer) continue;
        if ((peer->fd = accept(listener, NULL, NULL)) < 0 || pthread_create(&thread, NULL, serve, peer)) {
            if (peer->fd >= 0) close(peer->fd);
            else usleep(10000); /* most likely no descriptors are left */
            free(peer);
            continue;
        }
        pthread_detach(thread);
    }
}
