/* framewire: permessage-deflate (RFC 7692), in both directions, within bounds. Not in the static library without std.
 *
 * These objects are the library's own. It allocates them with malloc, and aborts the program if malloc fails; the limits below
 * bound how much that is. The rules of framewire.h hold here as well.
 *
 * Threads: a pool serves all connections of a thread. Each call has the pool, and the inflater or deflater, to itself. An
 * inflater or deflater may move to another thread, and use the pool there.
 *
 * Decompressors: a message that is being inflated holds one of the `messages` of the pool, from its first byte until its last, or
 * until an error of it. A peer that begins messages and does not end them would keep it for ever, and with it all peers that wait
 * for one. So limit how long a message may take, and free the inflater as soon as its connection has failed or closed. Peers that
 * were not ready are asked again after a message has ended or an inflater was freed. */
#ifndef FRAMEWIRE_DEFLATE_H
#define FRAMEWIRE_DEFLATE_H

#include <framewire.h>
#include <framewire/handshake.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fw_inflate_pool fw_inflate_pool;
typedef struct fw_inflater fw_inflater;
typedef struct fw_deflate_pool fw_deflate_pool;
typedef struct fw_deflater fw_deflater;

/* ----------------------------------------------------------------------------------------------------------- receiving */

/* Limits on memory and work; 0 is the default. */
typedef struct fw_inflate_config {
    uint64_t max_message; /* most bytes of an inflated message: 16 MiB */
    size_t messages;      /* most messages that are inflated at the same time: 64 */
    size_t windows;       /* most bytes of windows that are kept between messages: 64 MiB */
    size_t part;          /* most bytes of an inflated part: 64 KiB. A pool has one buffer of this size; at most 1 GiB */
} fw_inflate_config;

/* A pool, or NULL if the configuration is not possible. `config` may be NULL. Free it after the last call that uses it; its
 * inflaters may outlive it. */
fw_inflate_pool *fw_inflate_pool_new(const fw_inflate_config *config);
void fw_inflate_pool_free(fw_inflate_pool *pool);

/* An inflater for one connection of this role, with the parameters that were agreed on. FW_E_NO_WINDOW if the peer keeps its
 * window from message to message and the pool has none left. So a server makes it before fw_answer_write; if there is no
 * window, it answers without `deflate`, or asks fw_request_deflate again with `client_no_context_takeover`. A client whose pool
 * may have none left offers `server_no_context_takeover`. */
int fw_inflater_new(int role, const fw_deflate *params, const fw_inflate_pool *pool, fw_inflater **inflater);
void fw_inflater_free(fw_inflater *inflater);

/* 1 if a message of this peer can be inflated now; 0 if all decompressors are in use by messages of other peers. Ask before
 * you read the socket, and do not read it if not: what was read could not be inflated. */
int fw_inflater_ready(fw_inflater *inflater, fw_inflate_pool *pool);

/* Inflates the next bytes of a part (or message) that fw_receive returned; those without FW_RSV1 come out unchanged. Call it
 * until it does not return 1. It moves `part` on behind what was used; its type is FW_EVENT_NONE in the end.
 *
 * Returns 1: `out` is an inflated part, whose data are valid until the next call with this pool. 0: `part` is used up.
 * FW_E_BUSY: see fw_inflater_ready; nothing has changed. fw_inflater_ready keeps no place: another inflater may have begun a
 * message with this pool since, or this one may use another pool inside a message. Then keep the rest of the read, and call again.
 * An error of the peer: give it to fw_fail. */
int fw_inflate(fw_inflater *inflater, fw_inflate_pool *pool, fw_event *part, fw_event *out);

/* ------------------------------------------------------------------------------------------------------------- sending */

/* How to compress, and how much memory that may hold; 0 is the default. */
typedef struct fw_deflate_config {
    size_t min_len;     /* messages of fewer bytes are sent uncompressed: 64 */
    size_t compressors; /* most compressors of the pool: 4 */
    size_t windows;     /* most bytes of windows that are kept between messages: 64 MiB */
    int level;          /* 1 to 9: 2 */
} fw_deflate_config;

fw_deflate_pool *fw_deflate_pool_new(const fw_deflate_config *config);
void fw_deflate_pool_free(fw_deflate_pool *pool);

/* A deflater for one connection of this role, with the parameters that were agreed on. */
int fw_deflater_new(int role, const fw_deflate *params, fw_deflater **deflater);
void fw_deflater_free(fw_deflater *deflater);

/* Makes the frame of a message, compressed if that is worth it: writes its header to `out`, and returns the header's length,
 * as fw_message. Sets `*payload` and `*payload_len` to what you write behind it: in the pool, masked for a client, and valid
 * until the next call with this pool; or `data` itself. */
int fw_deflate_message(fw_deflater *deflater, fw_connection *connection, fw_deflate_pool *pool, int kind,
                       const uint8_t *data, size_t len, const uint8_t *key, uint8_t *out, size_t room,
                       const uint8_t **payload, size_t *payload_len);

/* The same for the next fragment of a message. If fw_fragment began the message, this continues it uncompressed. What this
 * began, it must also continue and end. */
int fw_deflate_fragment(fw_deflater *deflater, fw_connection *connection, fw_deflate_pool *pool, int kind,
                        const uint8_t *data, size_t len, int last, const uint8_t *key, uint8_t *out, size_t room,
                        const uint8_t **payload, size_t *payload_len);

#ifdef __cplusplus
}
#endif
#endif
