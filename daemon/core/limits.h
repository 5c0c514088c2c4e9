/* Every bound of the daemon that is not a user's choice, asserted against its neighbours. Users' choices: config.h. */
#ifndef FORESHOCK_CORE_LIMITS_H
#define FORESHOCK_CORE_LIMITS_H

#include "proto/wire.h"

/* OpenBLAS has 2 x 64 buffers: more concurrent callers than that abort it. */
#define LIMIT_WORKERS        64u
#define LIMIT_ENDPOINTS      8u /* control endpoints */
/* A frame that is somewhat too large gets an error reply instead of a disconnect. */
#define LIMIT_CONTROL_FRAME  (4u * WIRE_HEADER_MAX)
#define LIMIT_TENSOR_FRAME   (2u * WIRE_PIECE_MAX)
#define LIMIT_CONTROL_HWM    1000 /* messages a peer; control is never dropped for tensors */
#define LIMIT_TENSOR_HWM     4    /* pieces a peer that wait in ZeroMQ, outside the memory budget */
/* Open files that connections of trainings leave: HTTP, the database and its readers, baselines, notifiers, libraries. */
#define LIMIT_FILES_RESERVED 256u
#define LIMIT_TURN_MESSAGES  256u /* read from one socket in one turn of the loop */
#define LIMIT_TURN_BYTES     (64u << 20)
#define LIMIT_FLUSHES                                                                              \
    64u /* flush markers of a session that wait for their counterpart on the other socket */
#define LIMIT_GRANTS         1024u /* requests for room that a session may have waiting */
/* Scalars of lossless sessions that wait for the store. */
#define LIMIT_BACKLOG_BYTES  ((size_t)256 << 20)
#define LIMIT_SCALAR_NAMES   1024u  /* different scalars of a run */
#define LIMIT_SHARDS         4096u  /* of a layer */
#define LIMIT_SHARD_STEPS    8u     /* of a layer of lossy sessions that wait for shards */
#define LIMIT_SHARDS_AHEAD   65536u /* of a lossless session that wait for those of others */
#define LIMIT_TICK_MS        100u   /* the loop's own clock */
#define LIMIT_STALL_MS       1000u /* a tick later than this: the loop stood still, leases start anew */
/* After its start the daemon waits so long for those who were connected before it believes that they are gone: clients try
 * again every two seconds at least. */
#define LIMIT_RETURN_MS      5000u
#define LIMIT_FAULT_PAUSE_MS 1000u /* between two `budget` or `stale` errors to one peer */

/* Changes of alerts that wait for the store; above it none is opened. Each takes some 12 kB. */
#define LIMIT_JOURNAL 2048u
#define LIMIT_UNRECORDED_MS                                                                        \
    10000u /* the store has not written for so long: alerts go out without it */

#define LIMIT_SILENCES            1000u
/* Rows of the outbox that wait for one notifier: first go those of alerts whose newer state waits too, then the oldest. */
#define LIMIT_OUTBOX_ROWS         4000u
/* What waits longer is dropped, but for the newest state of an alert that still fires. */
#define LIMIT_OUTBOX_AGE_SECONDS  (3u * 86400u)
/* A change that is not of the severity waits this long, to be sent together with those that follow: many layers fail one
 * after the other. */
#define LIMIT_UPDATE_SECONDS      10u
/* The first pause after a try that failed, and the longest: each is twice the one before. */
#define LIMIT_RETRY_MIN_SECONDS   1u
#define LIMIT_RETRY_MAX_SECONDS   300u
#define LIMIT_RETRY_AFTER_SECONDS 3600u /* a receiver may ask for so much and no more */
#define LIMIT_REFUSED_TRIES       5u /* until a status that will not change (400, 422) is believed */
#define LIMIT_RESPONSE_BYTES      (64u << 10) /* of an answer that are read */
#define LIMIT_RESEND_ALERTS       64u         /* in one request */

_Static_assert(LIMIT_CONTROL_FRAME > WIRE_HEADER_MAX, "a header at its bound must pass");
_Static_assert(LIMIT_TENSOR_FRAME > WIRE_PIECE_MAX, "a piece at its bound must pass");
_Static_assert(LIMIT_TENSOR_FRAME >= LIMIT_CONTROL_FRAME, "the tensor socket carries headers too");
_Static_assert(LIMIT_SHARDS_AHEAD > WIRE_LAYER_NUMBER_MAX, "a step of every layer may wait");
_Static_assert(LIMIT_RETRY_MIN_SECONDS < LIMIT_RETRY_MAX_SECONDS, "pauses grow");
_Static_assert(LIMIT_RETRY_MAX_SECONDS <= LIMIT_RETRY_AFTER_SECONDS,
    "a later time is a clock that was set back");
_Static_assert(LIMIT_STALL_MS > 2 * LIMIT_TICK_MS, "a late tick is not a stall");

#endif
