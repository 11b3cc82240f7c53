/* framewire: a WebSocket codec that does no I/O (RFC 6455).
 *
 * You read bytes from a socket; fw_receive takes them apart in place and lends you messages that point into your buffer.
 * You send by asking for a header (2 to 14 bytes) and writing it before your payload. There is no callback, no allocation,
 * no thread and no clock. docs/c.md has the whole loop; examples/echo_server.c is a server.
 *
 * Rules that hold for every function
 *
 *   Results   Negative: an error, FW_E_*. The function has then changed nothing, except where it says so. Otherwise what the
 *             function says. NULL where a pointer is needed, a length that no object has, a number without a meaning, memory
 *             that is misaligned, or that is zero in place of initialised: these are errors, not crashes.
 *   Memory    A pointer must be valid for the length that comes with it; that cannot be checked. Arguments do not overlap
 *             unless the function says that they may. With a length of 0 a pointer may be NULL.
 *   Threads   A connection is used by one thread at a time; any thread will do, with the usual hand-over. Different
 *             connections are independent. Functions without a connection may be called by any threads at the same time.
 *   Keys      A client masks each frame with four bytes that it draws from a strong source of randomness, new for each frame
 *             (RFC 6455 5.3, 10.3). A server passes NULL. The other way round is FW_E_KEY.
 *
 * Licence: MIT or Apache-2.0, at your option. */
#ifndef FRAMEWIRE_H
#define FRAMEWIRE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------------------ version */

#define FW_VERSION_MAJOR 0
#define FW_VERSION_MINOR 1
#define FW_VERSION_PATCH 0
/* To compare with: 0xMMmmpp. Before 1.0, versions with the same minor number are compatible; from 1.0 on, those with the same
 * major number. */
#define FW_VERSION ((FW_VERSION_MAJOR << 16) | (FW_VERSION_MINOR << 8) | FW_VERSION_PATCH)

/* The version of the library that runs, which may be later than that of this header. */
uint32_t fw_version(void);

/* ------------------------------------------------------------------------------------------------------------- errors */

enum {
    FW_OK = 0,

    /* The peer broke the protocol: pass the error to fw_fail, and write the close frame that it makes. */
    FW_E_RESERVED_OPCODE = -1,
    FW_E_FRAGMENTED_CONTROL = -2,
    FW_E_CONTROL_TOO_LONG = -3,
    FW_E_LENGTH_NOT_MINIMAL = -4,
    FW_E_LENGTH_OUT_OF_RANGE = -5,
    FW_E_MASK_MISSING = -6,
    FW_E_MASK_UNEXPECTED = -7,
    FW_E_RESERVED_BIT = -8,
    FW_E_UNEXPECTED_CONTINUATION = -9,
    FW_E_EXPECTED_CONTINUATION = -10,
    FW_E_FRAME_TOO_BIG = -11,
    FW_E_MESSAGE_TOO_BIG = -12,
    FW_E_INVALID_UTF8 = -13,
    FW_E_CORRUPT_DEFLATE = -14,
    FW_E_CLOSE_TOO_SHORT = -15,
    FW_E_INVALID_CLOSE_CODE = -16,
    FW_E_UNEXPECTED_EOF = -17,

    /* The caller asked for a frame that the protocol does not allow now. */
    FW_E_CLOSED = -33,
    FW_E_MESSAGE_OPEN = -34,
    FW_E_KIND_CHANGED = -35,
    FW_E_SEND_RESERVED_BIT = -36,
    FW_E_SEND_CONTROL_TOO_LONG = -37,
    FW_E_PAYLOAD_TOO_LONG = -38,
    FW_E_SEND_CLOSE_CODE = -39,
    FW_E_SEND_UTF8 = -40,

    /* The call itself is wrong. */
    FW_E_ARGUMENT = -49,   /* NULL, a length that no object has, a number without a meaning */
    FW_E_MISALIGNED = -50, /* a pointer to a struct or a size_t */
    FW_E_SIZE = -51,       /* the library is later than the header, and needs a larger fw_connection */
    FW_E_ROOM = -52,       /* `room` is smaller than the function demands */
    FW_E_STATE = -53,      /* the memory was not initialised */
    FW_E_KEY = -54,        /* a client passed no key, or a server passed one */
    FW_E_OTHER = -55,      /* an error of a later version of the codec */

    /* The handshake failed: pass the error to fw_refusal_write (framewire/handshake.h). A client just closes. */
    FW_E_HEAD_TOO_LONG = -65,
    FW_E_TOO_MANY_HEADERS = -66,
    FW_E_INVALID_LINE_ENDING = -67,
    FW_E_FOLDED_HEADER = -68,
    FW_E_INVALID_HEADER = -69,
    FW_E_INVALID_REQUEST_LINE = -70,
    FW_E_UNSUPPORTED_HTTP_VERSION = -71,
    FW_E_INVALID_TARGET = -72,
    FW_E_INVALID_HOST = -73,
    FW_E_HOST_MISMATCH = -74,
    FW_E_METHOD_NOT_ALLOWED = -75,
    FW_E_UNEXPECTED_BODY = -76,
    FW_E_MISSING_CONNECTION_UPGRADE = -77,
    FW_E_UNSUPPORTED_VERSION = -78,
    FW_E_INVALID_KEY = -79,
    FW_E_INVALID_SUBPROTOCOLS = -80,
    FW_E_INVALID_EXTENSIONS = -81,
    FW_E_INVALID_ORIGIN = -82,
    FW_E_ORIGIN_FORBIDDEN = -83, /* only the host decides that */
    FW_E_NOT_UPGRADE = -84,
    FW_E_INVALID_STATUS_LINE = -85,
    FW_E_INVALID_UPGRADE_RESPONSE = -86,
    FW_E_INVALID_ACCEPT = -87,
    FW_E_UNEXPECTED_SUBPROTOCOL = -88,
    FW_E_UNEXPECTED_EXTENSION = -89,
    FW_E_REFUSED = -90, /* the server answered with another status than 101 */

    /* The host built a request or an answer that must not be sent. */
    FW_E_BUILD_HEADER = -97,
    FW_E_BUILD_RESERVED_HEADER = -98,
    FW_E_BUILD_HOST = -99,
    FW_E_BUILD_TARGET = -100,
    FW_E_BUILD_SUBPROTOCOL = -101,
    FW_E_BUILD_EXTENSION = -102,
    FW_E_BUILD_STATUS = -103,

    /* permessage-deflate (framewire/deflate.h). */
    FW_E_NO_WINDOW = -113,
    FW_E_BUSY = -114
};

/* The name of an error, such as "FW_E_INVALID_UTF8", and what it means in a few words. Constants; never NULL. */
const char *fw_error_name(int error);
const char *fw_error_text(int error);

/* The code of the close frame that tells the peer of this error (RFC 6455 7.4.1); 0 if it is not an error of a peer. That of
 * FW_E_UNEXPECTED_EOF is 1006, which is for the host alone: no frame may have it. */
uint16_t fw_error_close_code(int error);

/* ---------------------------------------------------------------------------------------------------- masking and UTF-8 */

/* Masks or unmasks `len` bytes (RFC 6455 5.3): dst[i] = src[i] ^ key[(phase + i) % 4]. `dst` may be `src`; otherwise they
 * must not overlap. `phase` is the position in the payload of the first byte, for a payload in pieces. */
int fw_mask(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t *key, size_t phase);

/* Whether a whole text is UTF-8: FW_OK or FW_E_INVALID_UTF8. Unless `position` is NULL, an error sets it to the index of the
 * first byte that cannot be part of a character there; to `len` if the text ends inside a character. */
int fw_utf8_check(const uint8_t *data, size_t len, size_t *position);

/* The state of a text that comes in pieces, which may be cut inside a character. */
typedef struct fw_utf8 {
    uint32_t state; /* 0 at the start of a text */
} fw_utf8;

/* Validates the next piece. After an error every further piece is one, at its first byte. */
int fw_utf8_feed(fw_utf8 *state, const uint8_t *data, size_t len, size_t *position);

/* Whether the text can end here: FW_OK or FW_E_INVALID_UTF8. */
int fw_utf8_finish(const fw_utf8 *state);

/* ------------------------------------------------------------------------------------------------------- frame headers */

/* For proxies and tools that need no protocol state. Others need only fw_connection. */
typedef struct fw_header {
    uint64_t payload_len;
    uint8_t key[4];  /* if `masked` */
    uint8_t opcode;  /* 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong */
    uint8_t fin;     /* 1: the frame ends its message */
    uint8_t rsv;     /* FW_RSV1 | FW_RSV2 | FW_RSV3 */
    uint8_t masked;  /* 1: from a client */
} fw_header;

enum { FW_RSV1 = 0x40, FW_RSV2 = 0x20, FW_RSV3 = 0x10 };

enum {
    FW_HEADER_MAX = 14,  /* the most bytes of a header */
    FW_CONTROL_MAX = 131 /* the most bytes of a control frame, with header and payload */
};

/* Parses the header at the start of the data. Returns its length (2 to 14), 0 if more bytes are needed, or an error of the
 * peer. */
int fw_header_parse(const uint8_t *data, size_t len, fw_header *header);

/* Writes a header, and returns its length. `room` is at least FW_HEADER_MAX. */
int fw_header_write(const fw_header *header, uint8_t *out, size_t room);

/* ---------------------------------------------------------------------------------------------------------- connection */

enum { FW_CONNECTION_SIZE = 256 };

/* A connection after its opening handshake, in your memory: in a struct of yours, on the stack, in an array. It takes 256
 * bytes, of which this version uses some 190; the rest is for later versions. It needs no end: when you are done, forget it.
 *
 * It may be moved with memcpy, but never copied: two copies would both send for one connection. After a move, the data of
 * the last ping, pong or close must not be used any more: see fw_event. */
typedef struct fw_connection {
    uint64_t opaque[FW_CONNECTION_SIZE / 8];
} fw_connection;

enum {
    FW_SERVER = 1, /* accepted the connection: receives masked frames, sends unmasked ones */
    FW_CLIENT = 2  /* opened the connection: the other way round */
};

/* What a connection accepts. Zero-initialise it: 0 is the default everywhere.
 *
 * Frames and messages with reserved bits, which an extension decodes, may be longer than the limit by a sixteenth and 64 bytes:
 * what cannot be compressed grows by that. framewire/deflate.h limits what comes out. */
typedef struct fw_config {
    uint64_t max_frame;     /* most bytes of a frame's payload. Default: server 16 MiB, client 64 MiB; UINT64_MAX: no limit */
    uint64_t max_message;   /* most bytes of a message, all fragments together. Default: the same */
    uint8_t extension_bits; /* reserved bits that an extension may set: FW_RSV1 for permessage-deflate */
    uint8_t reserved[7];    /* 0 */
} fw_config;

/* Initialises a connection; whatever was in the memory before does not matter. `size` is sizeof(fw_connection): a library
 * that needs more refuses with FW_E_SIZE. `config` may be NULL. */
int fw_init(fw_connection *connection, size_t size, int role, const fw_config *config);

/* The size and the alignment that the library which runs needs, for hosts that cannot use sizeof. */
size_t fw_connection_size(void);
size_t fw_connection_align(void);

/* ----------------------------------------------------------------------------------------------------------- receiving */

enum { FW_TEXT = 1, FW_BINARY = 2 };

enum {
    FW_EVENT_NONE = 0,
    FW_EVENT_MESSAGE = 1, /* a whole message: one frame, all of it in the buffer */
    FW_EVENT_PART = 2,    /* the next bytes of a message that is fragmented, cut by the read, or compressed */
    FW_EVENT_CLOSE = 8,   /* the peer's close; nothing follows it */
    FW_EVENT_PING = 9,
    FW_EVENT_PONG = 10
};

/* What arrived.
 *
 * `data` points into the buffer that you gave to fw_receive, and is valid as long as you leave that buffer alone. You may
 * change the bytes. For a ping, a pong or a close it may point into the connection instead (if the frame was split between
 * reads): then it is valid until the next call of fw_receive for this connection, and fw_deflate_* of this connection must not
 * get it. */
typedef struct fw_event {
    uint8_t *data;       /* message, part: unmasked payload. ping, pong: its payload. close: the reason, UTF-8 */
    size_t len;
    uint16_t code;       /* close: its code, or 1005 if it has none */
    uint8_t type;        /* FW_EVENT_* */
    uint8_t kind;        /* message, part: FW_TEXT (validated, unless `rsv`) or FW_BINARY */
    uint8_t last;        /* message, part: 1 if the message ends here */
    uint8_t rsv;         /* part: reserved bits of the message. If not 0, an extension must decode it */
    uint8_t reserved[2]; /* 0 */
} fw_event;

/* Takes the next event off the front of the bytes that were read, and moves `*data` and `*len` behind it. Call it until it
 * does not return 1. All bytes are taken, always: the buffer is free for the next read, of this connection or any other.
 *
 * Returns 1 if there is an event; 0 if all bytes are taken; or an error of the peer, after all events before the bad byte
 * have been returned. Then all bytes are taken as well, and each further call returns the same error. Give it to fw_fail.
 *
 * The payload is unmasked and validated in place. `event` is written only if the result is 1. */
int fw_receive(fw_connection *connection, uint8_t **data, size_t *len, fw_event *event);

/* How many bytes of the current data frame's payload have not arrived; 0 for memory that was not initialised. A host that
 * collects a large message can read that many straight to where they belong, and call fw_receive on them there. */
uint64_t fw_remaining(const fw_connection *connection);

/* How many bytes the next read into a buffer of `room` bytes should ask for: 1 KiB to `room`, or `room` if that is less. For a
 * host that reads the rest of a large frame, fw_remaining, straight to where it belongs: after a frame of 64 KiB or more was
 * cut, for which the buffer has no room, it is the first 16 KiB of the frame; or, if less is missing than there is room for, the
 * rest and the header of the next. It is advice: any other read gives the same messages. A host that passes parts on as they
 * come should fill its buffer. `room` for memory that was not initialised. */
size_t fw_want(const fw_connection *connection, size_t room);

/* Tells the connection that the stream has ended: a read returned 0. FW_E_UNEXPECTED_EOF if the peer has sent no close: the
 * connection has then failed, and makes no more messages. The error of the peer if there was one. Otherwise FW_OK, also after
 * fw_fail_with. */
int fw_receive_eof(fw_connection *connection);

enum {
    FW_STATE_OPEN = 1,           /* messages may go in both directions */
    FW_STATE_CLOSE_SENT = 2,     /* this end sent a close; messages may still arrive */
    FW_STATE_CLOSE_RECEIVED = 3, /* the peer sent a close; answer it with fw_reply */
    FW_STATE_CLOSED = 4          /* over. Write what is queued; then see below */
};

/* When a connection is over, a client waits for the server to close the socket, and a server closes it. But if bytes of the
 * peer are unread then, TCP resets the connection, and the peer may never see the close frame. So a server first ends its own
 * side (shutdown, SHUT_WR), and reads and discards until the peer has ended its side, too. Both need a timer. */

/* The state: FW_STATE_*. */
int fw_state(const fw_connection *connection);

/* ------------------------------------------------------------------------------------------------------------- sending */

/* These write a frame, or its header, to `out`, and return the number of bytes, which you write to the socket in order.
 * `room` is the number of bytes that `out` has room for: at least FW_CONTROL_MAX for a control frame, and at least
 * FW_HEADER_MAX for a header, however short it becomes. So nothing can fail halfway. */

/* The frame that the protocol demands in answer to an event: a pong to a ping, a close to a close. 0 if none is due. Call it
 * once for each event, or for pings and closes only. The bytes of a ping must still be valid. `key` is not looked at for
 * other events. */
int fw_reply(fw_connection *connection, const fw_event *event, const uint8_t *key, uint8_t *out, size_t room);

/* Fails the connection for an error of the peer: the close that says why; 0 if none may be sent. */
int fw_fail(fw_connection *connection, int error, const uint8_t *key, uint8_t *out, size_t room);

/* Fails the connection for a reason of the application: what arrives later is discarded. `reason` is UTF-8, and has at most
 * 123 bytes. FW_E_CLOSED if this end has sent a close before; the connection has failed all the same. */
int fw_fail_with(fw_connection *connection, uint16_t code, const uint8_t *reason, size_t len, const uint8_t *key,
                 uint8_t *out, size_t room);

/* The header of a message of `len` bytes. Write the payload behind it; a client first masks that with the same key and
 * fw_mask, phase 0. A text must be UTF-8. `rsv`: 0, or the bits of the extension that encoded the payload. */
int fw_message(fw_connection *connection, int kind, int rsv, uint64_t len, const uint8_t *key, uint8_t *out, size_t room);

/* The header of the next fragment of a message. The first one begins the message, and the one with `last` ends it; between
 * them only control frames may be sent. `rsv` counts for the first only. */
int fw_fragment(fw_connection *connection, int kind, int rsv, uint64_t len, int last, const uint8_t *key, uint8_t *out,
                size_t room);

/* A ping, and a pong that nobody asked for (fw_reply makes the others); at most 125 bytes of data. */
int fw_ping(fw_connection *connection, const uint8_t *data, size_t len, const uint8_t *key, uint8_t *out, size_t room);
int fw_pong(fw_connection *connection, const uint8_t *data, size_t len, const uint8_t *key, uint8_t *out, size_t room);

/* A close; no message can be sent after it. Messages arrive until the peer's close. `reason` is UTF-8, and has at most 123
 * bytes. Code 1005 and no reason make a close without a code. */
int fw_close(fw_connection *connection, uint16_t code, const uint8_t *reason, size_t len, const uint8_t *key, uint8_t *out,
             size_t room);

/* ----------------------------------------------------------------------------------------------------------- handshake */

enum { FW_ACCEPT_SIZE = 29 /* 28 characters and a zero byte */ };

/* Sec-WebSocket-Accept for the Sec-WebSocket-Key of a request (RFC 6455 4.2.2), for hosts that have an HTTP parser; those
 * that have none use framewire/handshake.h. `accept` has room for FW_ACCEPT_SIZE bytes. FW_E_INVALID_KEY unless the key is
 * the base64 of 16 bytes. */
int fw_accept_key(const char *key, size_t len, char *accept);

#ifdef __cplusplus
}
#endif
#endif
