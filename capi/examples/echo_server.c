/* An echo server on epoll. One receive buffer serves all connections; all replies to a read leave in one writev; a peer for
 * which more replies wait than its largest message is not read (less would not do: a client may well send all of a message
 * before it reads). An idle connection costs a struct peer and its socket.
 *
 *     cc -O2 echo_server.c $(pkg-config --cflags --libs framewire) -o echo_server && ./echo_server 9001
 *
 * A server on the open internet also has timers: for the handshake, for idle peers, and for the closing handshake. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <framewire.h>
#include <framewire/handshake.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

enum { RX = 256 * 1024, COPY = 2048, PEERS = 65536, MESSAGE = 64 << 20, HIGH_WATER = MESSAGE + (1 << 20) };
enum { HANDSHAKE, OPEN, CLOSING, ENDED /* the peer sends no more */ };

struct bytes { uint8_t *data; size_t len; };

struct peer {
    int fd, phase;
    fw_connection ws;
    struct bytes head;    /* what has arrived of a request that is cut */
    struct bytes backlog; /* what the socket has not taken: */
    size_t sent;          /* all behind these bytes */
    uint32_t events;      /* that epoll waits for */
};

static struct peer *peers[PEERS]; /* by descriptor */
static int epoll, listener, count, deaf; /* deaf: no descriptors are left, so the listener waits for a peer to leave */
static fw_config limits = {.max_frame = MESSAGE, .max_message = MESSAGE};

/* The buffers of the thread: what was read, what the library and we have written, and the pieces of the next writev. The
 * replies to a read are no longer than the read, but for what completes an earlier one. */
static uint8_t rx[RX], tx[RX + 1024];
static size_t tx_len;
static struct iovec pieces[2 * RX / COPY + 8];
static int piece_count;

static void queue(const uint8_t *data, size_t len) {
    struct iovec *last = piece_count ? &pieces[piece_count - 1] : NULL;
    if (last && (uint8_t *)last->iov_base + last->iov_len == data) last->iov_len += len;
    else pieces[piece_count++] = (struct iovec){(void *)data, len};
}

/* Queues what was just written at the end of tx; an error of the library writes nothing. */
static void queue_tx(int len) {
    if (len <= 0) return;
    queue(tx + tx_len, (size_t)len);
    tx_len += (size_t)len;
}

/* A message goes back as a message, and a part of one as a fragment: the server collects nothing. */
static void echo(struct peer *peer, const fw_event *event) {
    uint8_t *out = tx + tx_len;
    int header = event->type == FW_EVENT_MESSAGE
                     ? fw_message(&peer->ws, event->kind, 0, event->len, NULL, out, RX + 1024 - tx_len)
                     : fw_fragment(&peer->ws, event->kind, 0, event->len, event->last, NULL, out, RX + 1024 - tx_len);
    if (header < 0) return; /* we have sent our close */
    if (event->len <= COPY && event->len + FW_HEADER_MAX <= sizeof tx - tx_len) {
        memcpy(out + header, event->data, event->len); /* cheaper than a piece of its own */
        queue_tx(header + (int)event->len);
    } else queue_tx(header), queue(event->data, event->len);
}

static void receive(struct peer *peer, uint8_t *data, size_t len) {
    fw_event event;
    int result;
    while ((result = fw_receive(&peer->ws, &data, &len, &event)) == 1) {
        if (event.type == FW_EVENT_MESSAGE || event.type == FW_EVENT_PART) echo(peer, &event);
        else queue_tx(fw_reply(&peer->ws, &event, NULL, tx + tx_len, sizeof tx - tx_len)); /* a pong, a close */
    }
    if (result < 0) queue_tx(fw_fail(&peer->ws, result, NULL, tx + tx_len, sizeof tx - tx_len));
    if (fw_state(&peer->ws) == FW_STATE_CLOSED) peer->phase = CLOSING;
}

static void keep(struct bytes *kept, const uint8_t *data, size_t len) {
    kept->data = realloc(kept->data, kept->len + len);
    if (!kept->data) abort();
    memcpy(kept->data + kept->len, data, len);
    kept->len += len;
}

static void clear(struct bytes *kept) { free(kept->data), *kept = (struct bytes){NULL, 0}; }

static void handshake(struct peer *peer, uint8_t *data, size_t len) {
    if (peer->head.data) { /* the request was cut: it is refused once 8 KiB of it have come */
        keep(&peer->head, data, len);
        data = peer->head.data, len = peer->head.len;
    }
    fw_request request;
    int n = fw_request_parse(data, len, &request);
    if (n == 0 && !peer->head.data) keep(&peer->head, data, len);
    if (n == 0) return;
    if (n > 0 && !request.upgrade) n = FW_E_NOT_UPGRADE;
    queue_tx(n > 0 ? fw_answer_write(&request, NULL, tx, sizeof tx) : fw_refusal_write(n, tx, sizeof tx));
    peer->phase = n > 0 ? OPEN : CLOSING;
    if (n < 0) return;
    fw_init(&peer->ws, sizeof peer->ws, FW_SERVER, &limits);
    receive(peer, data + n, len - (size_t)n); /* frames of a client that did not wait */
}

/* Edges: an event comes once. Called again, it comes again if the socket is still ready. */
static void watch(struct peer *peer, uint32_t events) {
    struct epoll_event event = {.events = events | EPOLLRDHUP | EPOLLET, .data.fd = peer->fd};
    epoll_ctl(epoll, EPOLL_CTL_MOD, peer->fd, &event);
    peer->events = events;
}

/* Writes the queue, or else the backlog, and keeps what the socket does not take. */
static int flush(struct peer *peer) {
    ssize_t n = 0;
    if (piece_count == 1 && !peer->backlog.data) n = send(peer->fd, pieces->iov_base, pieces->iov_len, 0);
    else if (piece_count && !peer->backlog.data) n = writev(peer->fd, pieces, piece_count);
    else if (!piece_count) n = send(peer->fd, peer->backlog.data + peer->sent, peer->backlog.len - peer->sent, 0);
    if (n < 0 && errno != EAGAIN) return -1;
    size_t taken = n < 0 ? 0 : (size_t)n;
    if (!piece_count && (peer->sent += taken) == peer->backlog.len) clear(&peer->backlog), peer->sent = 0;
    if (peer->sent > peer->backlog.len / 2) /* or else it would grow for as long as something waits */
        memmove(peer->backlog.data, peer->backlog.data + peer->sent, peer->backlog.len -= peer->sent), peer->sent = 0;
    for (int i = 0; i < piece_count; i++) {
        size_t skip = taken < pieces[i].iov_len ? taken : pieces[i].iov_len;
        if (skip < pieces[i].iov_len) keep(&peer->backlog, (uint8_t *)pieces[i].iov_base + skip, pieces[i].iov_len - skip);
        taken -= skip;
    }
    size_t waits = peer->backlog.len - peer->sent;
    uint32_t events = (waits < HIGH_WATER && peer->phase != ENDED ? (uint32_t)EPOLLIN : 0) | (waits ? (uint32_t)EPOLLOUT : 0);
    if (events != peer->events) watch(peer, events);
    if (!waits && peer->phase == CLOSING) shutdown(peer->fd, SHUT_WR);
    return !waits && peer->phase == ENDED ? -1 : 0;
}

static int ready(struct peer *peer, uint32_t events) {
    piece_count = 0, tx_len = 0;
    if (events & EPOLLOUT && flush(peer)) return -1;
    if (!(peer->events & EPOLLIN)) return 0;
    ssize_t n = recv(peer->fd, rx, sizeof rx, 0);
    if (n < 0) return errno == EAGAIN ? 0 : -1;
    if (n == 0 && !peer->backlog.data) return -1; /* fw_receive_eof says whether the peer had closed */
    if (n == 0) return peer->phase = ENDED, watch(peer, EPOLLOUT), 0; /* what waits is still written */
    if (peer->phase == OPEN) receive(peer, rx, (size_t)n);
    if (peer->phase == HANDSHAKE) handshake(peer, rx, (size_t)n);
    if (piece_count && flush(peer)) return -1; /* in phase CLOSING all is discarded, until the peer has read our close */
    if (peer->phase != HANDSHAKE) clear(&peer->head); /* frames behind it may have been echoed from there */
    /* There may be more: after the others. An end that came together with the data has no event of its own. */
    if ((size_t)n == sizeof rx || events & EPOLLRDHUP) watch(peer, peer->events);
    return 0;
}

static void drop(struct peer *peer) {
    close(peer->fd);
    peers[peer->fd] = NULL, count--;
    clear(&peer->head);
    clear(&peer->backlog);
    free(peer);
    if (deaf) deaf = epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.fd = listener});
}

static void welcome(void) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) 
        deaf = count ? !epoll_ctl(epoll, EPOLL_CTL_DEL, listener, NULL) : usleep(10000);
    if (fd < 0) return;
    struct peer *peer = fd < PEERS ? calloc(1, sizeof *peer) : NULL;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd};
    if (!peer || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) free(peer), close(fd);
    else peer->fd = fd, peer->events = EPOLLIN, peers[fd] = peer, count++;
}

static void stop(int number) { _exit(number - SIGTERM); }

int main(int argc, char **argv) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 9001))};
    struct epoll_event events[256] = {{.events = EPOLLIN}};
    socklen_t at_len = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (argc > 2) limits.max_message = strtoull(argv[2], NULL, 10); /* ./echo_server PORT BYTES */
    signal(SIGTERM, stop), signal(SIGPIPE, SIG_IGN);
    listener = events[0].data.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    epoll = epoll_create1(0);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* inherited */
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1024) ||
        getsockname(listener, (struct sockaddr *)&at, &at_len) || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, events))
        return perror("echo_server"), 1;
    printf("listening on ws://127.0.0.1:%d/\n", ntohs(at.sin_port)), fflush(stdout);
    for (;;) {
        for (int i = 0, n = epoll_wait(epoll, events, 256, -1); i < n; i++) {
            struct peer *peer = peers[events[i].data.fd];
            if (!peer) welcome();
            else if (ready(peer, events[i].events)) drop(peer);
        }
    }
}
