/* framewire: the opening handshake of WebSocket (RFC 6455 4), for hosts that have no HTTP parser.
 *
 * Nothing is allocated, and nothing is kept: a parsed request points into the bytes of its head, and the functions that take
 * it look at these bytes again. So leave the head alone until the answer is written. A head has at most 8 KiB and 64 headers.
 * The rules of framewire.h hold here as well. Any threads may call these functions at the same time. */
#ifndef FRAMEWIRE_HANDSHAKE_H
#define FRAMEWIRE_HANDSHAKE_H

#include <framewire.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A string with its length, not ended by a zero byte. In structs that you fill, { NULL, 0 } is no string. What you pass is
 * UTF-8; values in a request may be any bytes. */
typedef struct fw_str {
    const char *data;
    size_t len;
} fw_str;

/* An initialiser for a constant: fw_str chat = FW_STR("chat"); */
#define FW_STR(literal) { (literal), sizeof(literal) - 1 }

typedef struct fw_field {
    fw_str name, value;
} fw_field;

enum { FW_LIST_MAX = 16 /* the most headers, subprotocols or offers that you can pass */ };

/* Parameters of permessage-deflate (RFC 7692 7.1). Window bits are 8 to 15; 0 is none given. In a policy, 8 counts as 9.
 * In a client's offer, client_max_window_bits other than 0 lets the server limit the client's window. */
typedef struct fw_deflate {
    uint8_t server_no_context_takeover;
    uint8_t client_no_context_takeover;
    uint8_t server_max_window_bits;
    uint8_t client_max_window_bits;
} fw_deflate;

/* -------------------------------------------------------------------------------------------------------------- server */

/* A request. The strings point into its head; `path` may also be a constant, "/", if the target has none. */
typedef struct fw_request {
    fw_str head;         /* all of it, with the empty line at its end */
    fw_str method, target, path;
    fw_str query, host;  /* no string if there is none */
    fw_str origin;       /* of an upgrade: the site of the page that connects; no string if there is none */
    int upgrade;         /* 1: asks for a WebSocket, and follows every rule. 0: any other request */
} fw_request;

/* Parses the head at the start of the data. Returns its length; what follows it are frames of a client that did not wait.
 * Returns 0 if the head is not whole: call it again with the same bytes and more.
 * Returns an error if the head is malformed, or asks for a WebSocket and breaks a rule: write fw_refusal_write's answer. */
int fw_request_parse(const uint8_t *data, size_t len, fw_request *request);

/* The first header of this name, whatever its case: 1 if there is one, and 0 if not. */
int fw_request_header(const fw_request *request, fw_str name, fw_str *value);

/* The first of the client's subprotocols that is among yours: 1 if there is one, and 0 if not. */
int fw_request_subprotocol(const fw_request *request, const fw_str *supported, size_t count, fw_str *chosen);

/* The answer to the first acceptable offer of permessage-deflate: 1 if there is one, and 0 if not. `policy` is what you
 * demand; NULL: nothing. Pass `response` to fw_inflater_new and fw_deflater_new (framewire/deflate.h) and, if both can be
 * made, to fw_answer_write; allow FW_RSV1 in fw_config. */
int fw_request_deflate(const fw_request *request, const fw_deflate *policy, fw_deflate *response);

/* What the answer says besides the accept key. Zero-initialise it. */
typedef struct fw_answer {
    fw_str subprotocol;        /* one that the client asked for, or none */
    const fw_deflate *deflate; /* of fw_request_deflate, or NULL */
    const fw_field *headers;   /* further headers */
    size_t header_count;
} fw_answer;

/* Writes the 101 that opens the WebSocket, and returns its length. `answer` may be NULL. FW_E_ROOM if `room` is too small:
 * 512 bytes are enough without further headers, and with a subprotocol of up to 128 bytes. After an error, `out` holds nothing to
 * be sent. */
int fw_answer_write(const fw_request *request, const fw_answer *answer, uint8_t *out, size_t room);

/* Writes the answer to a request in error (400, 403, 405, 426, 431 or 505), and returns its length. `error` is one of the
 * handshake's, also one that you decide on: FW_E_ORIGIN_FORBIDDEN, FW_E_NOT_UPGRADE. Then close the connection. FW_E_ROOM if
 * `room` is too small: 256 bytes are enough. */
int fw_refusal_write(int error, uint8_t *out, size_t room);

/* Writes any other answer: a page, a redirect, a status of 200 to 599, but not 204, 205 and 304 (FW_E_BUILD_STATUS). Without
 * `body`, the body is the meaning of the status. To a HEAD, send all of it but the body at its end. Then close the connection.
 * FW_E_ROOM if `room` is too small: 256 bytes are enough besides body and headers. */
int fw_response_write(int status, fw_str body, const fw_field *headers, size_t header_count, uint8_t *out, size_t room);

/* -------------------------------------------------------------------------------------------------------------- client */

/* The request of a client. Zero-initialise it, and keep it until the answer is checked. */
typedef struct fw_opening {
    fw_str host;   /* with the port, unless it is the scheme's own: "example.com:8080" */
    fw_str target; /* path and query; no string: "/" */
    fw_str origin;
    const fw_str *subprotocols; /* the preferred one first */
    size_t subprotocol_count;
    const fw_deflate *offers; /* of permessage-deflate, the preferred one first */
    size_t offer_count;
    const fw_field *headers; /* further headers: cookies, Authorization */
    size_t header_count;
    uint8_t nonce[16]; /* random, new for each connection */
} fw_opening;

/* Writes the request, and returns its length. FW_E_ROOM if `room` is too small: 512 bytes are enough with one offer, no further
 * headers, and strings of 128 bytes in all. */
int fw_opening_write(const fw_opening *opening, uint8_t *out, size_t room);

/* What client and server agreed on. The subprotocol points into the head. */
typedef struct fw_opened {
    fw_str subprotocol;
    int status;      /* 101, or what else the server answered */
    int has_deflate; /* 1: messages may be compressed, as `deflate` says */
    fw_deflate deflate;
} fw_opened;

/* Checks the answer against the request. Returns the length of the head; what follows it are frames. Returns 0 if the head
 * is not whole: call it again with the same bytes and more. Interim answers (103 Early Hints; RFC 9110 15.2) are skipped, up to
 * 8 KiB of them, and count in the length. FW_E_REFUSED if the status is not 101: `opened->status` says
 * which. After another error, `opened` is unchanged. */
int fw_opening_check(const fw_opening *opening, const uint8_t *data, size_t len, fw_opened *opened);

#ifdef __cplusplus
}
#endif
#endif
