/* Requests for room, granted in order; see credit.h. */
#include "daemon/ingest/credit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "daemon/core/limits.h"
#include "proto/fault.h"

struct credit_request {
    struct credit_account *account;
    uint64_t tensor, bytes;
    bool granted;
    uint64_t granted_ms; /* on the reading clock */
    struct credit_request *prev, *next;
};

static void end_request(struct credit *credit, struct credit_request *request)
{
    if (request->granted)
        stats_sub(&credit->options.stats->ingest_bytes, request->bytes);
    request->account->requests--;
    DL_DELETE(credit->requests, request);
    free(request);
}

static bool has_room_for(struct credit *credit, uint64_t bytes)
{
    uint64_t waiting = stats_get(&credit->options.stats->ingest_bytes);

    if (waiting == 0 || waiting + bytes <= credit->options.memory_bytes)
        return true;
    credit->lacked_ms = credit->options.clock->now_ms;
    return false;
}

bool credit_fits(struct credit *credit, const struct credit_account *account, uint64_t bytes)
{
    return has_room_for(credit, bytes) && credit->options.may_send(account->owner, false);
}

void credit_serve(struct credit *credit)
{
    const struct credit_options *options = &credit->options;
    struct credit_request *request;

    DL_FOREACH (credit->requests, request) {
        void *owner = request->account->owner;

        if (request->granted || !options->may_send(owner, true))
            continue;
        if (!has_room_for(credit, request->bytes))
            return;
        request->granted = true;
        request->granted_ms = options->clock->now_ms;
        stats_add(&options->stats->ingest_bytes, request->bytes);
        options->granted(owner, request->tensor);
    }
}

static int check_request(struct credit *credit, const struct credit_account *account,
    uint64_t tensor, uint64_t bytes, struct wire_fault *fault)
{
    char text[96];

    if (bytes > credit->options.tensor_bytes) {
        snprintf(text, sizeof text, "at most %" PRIu64 " bytes (limits.tensor_bytes)",
            credit->options.tensor_bytes);
        return fault_set(
            fault, WIRE_CODE_TENSOR_TOO_LARGE, WIRE_WANT, "bytes", text, "%" PRIu64, bytes);
    }
    if (account->requests >= LIMIT_GRANTS)
        return fault_set(fault, WIRE_CODE_LIMIT, WIRE_WANT, "tensor",
            "fewer tensors asked for at a time", "%" PRIu64, tensor);
    return 0;
}

int credit_request(struct credit *credit, struct credit_account *account, uint64_t tensor,
    uint64_t bytes, struct wire_fault *fault)
{
    struct credit_request *request;

    if (check_request(credit, account, tensor, bytes, fault) != 0)
        return -1;
    request = malloc(sizeof *request);
    if (!request)
        return fault_set(fault, WIRE_CODE_LIMIT, WIRE_WANT, "tensor", "memory", "%" PRIu64, tensor);
    *request = (struct credit_request){.account = account, .tensor = tensor, .bytes = bytes};
    account->requests++;
    DL_APPEND(credit->requests, request);
    credit_serve(credit);
    return 0;
}

bool credit_take(
    struct credit *credit, struct credit_account *account, uint64_t tensor, uint64_t bytes)
{
    struct credit_request *request, *next;
    bool good = false;

    DL_FOREACH_SAFE (credit->requests, request, next) {
        /* Numbers increase: what was asked for tensors before this one will not be used. */
        if (request->account != account || request->tensor > tensor)
            continue;
        good |= request->tensor == tensor && request->granted && request->bytes >= bytes;
        end_request(credit, request);
    }
    return good;
}

void credit_forget(struct credit *credit, struct credit_account *account)
{
    struct credit_request *request, *next;

    DL_FOREACH_SAFE (credit->requests, request, next)
        if (request->account == account)
            end_request(credit, request);
}

void credit_lapse(struct credit *credit)
{
    struct credit_request *request, *next;

    DL_FOREACH_SAFE (credit->requests, request, next)
        if (request->granted && credit->lacked_ms >= request->granted_ms &&
            credit->options.clock->now_ms - request->granted_ms >= credit->options.grant_ms)
            end_request(credit, request);
}
