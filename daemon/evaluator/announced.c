/* A set of ids; see announced.h. */
#include "daemon/evaluator/announced.h"

#include <stdlib.h>
#include <uthash.h>

struct member {
    int64_t alert;
    UT_hash_handle hh;
};

struct announced {
    struct member *members;
};

struct announced *announced_new(void)
{
    return calloc(1, sizeof(struct announced));
}

static struct member *find(const struct announced *announced, int64_t alert)
{
    struct member *member;

    HASH_FIND(hh, announced->members, &alert, sizeof alert, member);
    return member;
}

static void drop(struct announced *announced, struct member *member)
{
    HASH_DEL(announced->members, member);
    free(member);
}

void announced_put(struct announced *announced, int64_t alert, bool is_in)
{
    struct member *member = find(announced, alert);

    if (!member == !is_in)
        return;
    if (member) {
        drop(announced, member);
        return;
    }
    member = calloc(1, sizeof *member);
    if (!member)
        return; /* a client that comes back is not told of it: those that are there were */
    member->alert = alert;
    HASH_ADD(hh, announced->members, alert, sizeof member->alert, member);
}

bool announced_has(const struct announced *announced, int64_t alert)
{
    return find(announced, alert) != NULL;
}

void announced_free(struct announced *announced)
{
    if (!announced)
        return;
    while (announced->members)
        drop(announced, announced->members);
    free(announced);
}
