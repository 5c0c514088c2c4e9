/* Credit: room for tensors that must not be lost. Each is asked for, and granted in the order asked as soon as the memory
 * budget allows. A grant is charged to stats->ingest_bytes at once, so that the room is there when the pieces arrive. Loop
 * thread only. */
#ifndef FORESHOCK_INGEST_CREDIT_H
#define FORESHOCK_INGEST_CREDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/stats.h"
#include "daemon/ingest/reading_clock.h"
#include "proto/wire.h"

struct credit_options {
    uint64_t memory_bytes; /* the budget; a tensor above it passes alone */
    uint64_t tensor_bytes; /* the most that one tensor may ask for */
    uint64_t grant_ms;     /* a grant that was not used for so long lapses while others lack room */
    struct stats *stats;
    const struct reading_clock *clock;
    /* Of the owner of an account: whether it may have room now for a tensor that it sends, or `asks` for. */
    bool (*may_send)(void *owner, bool asks);
    void (*granted)(void *owner, uint64_t tensor);
};

struct credit_request;

struct credit {
    struct credit_options options;
    struct credit_request *requests; /* granted and waiting, in order */
    uint64_t lacked_ms;              /* when somebody last found no room, on the reading clock */
};

/* What one session has asked for. */
struct credit_account {
    void *owner;
    size_t requests;
};

/* Asks for room for one tensor; it may be granted before this returns. 0, or -1 and `*fault`. */
int credit_request(struct credit *credit, struct credit_account *account, uint64_t tensor,
    uint64_t bytes, struct wire_fault *fault);

/* Grants what fits now: call it when memory was given back, and at every tick. */
void credit_serve(struct credit *credit);

/* Whether there is room now for a tensor that was not asked for. */
bool credit_fits(struct credit *credit, const struct credit_account *account, uint64_t bytes);

/* The tensor is here. True: its room was granted, and is the caller's to charge anew. Requests for tensors before it end. */
bool credit_take(
    struct credit *credit, struct credit_account *account, uint64_t tensor, uint64_t bytes);

/* Ends all requests of the account. */
void credit_forget(struct credit *credit, struct credit_account *account);

/* At every tick: grants that are not used are given back while others lack room. */
void credit_lapse(struct credit *credit);

#endif
