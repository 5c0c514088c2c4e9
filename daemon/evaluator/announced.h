/* The alerts that the trainings may be told of: they fire, are committed, and neither observed nor silenced. Loop thread. */
#ifndef FORESHOCK_EVALUATOR_ANNOUNCED_H
#define FORESHOCK_EVALUATOR_ANNOUNCED_H

#include <stdbool.h>
#include <stdint.h>

struct announced;

struct announced *announced_new(void);            /* NULL: memory is short */
void announced_free(struct announced *announced); /* safe on NULL */

void announced_put(struct announced *announced, int64_t alert, bool is_in);
bool announced_has(const struct announced *announced, int64_t alert);

#endif
