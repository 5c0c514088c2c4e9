/* The files of baselines that store_open looks after; reading and writing them is in store.h. */
#ifndef FORESHOCK_STORE_BASELINE_H
#define FORESHOCK_STORE_BASELINE_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#define BASELINE_NAME_MAX 64

/* "<layer>-<attempt>-<step>.w0": another baseline of the same layer never takes the place of a file that a row still names. */
void baseline_name(char name[BASELINE_NAME_MAX], int64_t layer, uint32_t attempt, int64_t step);

/* Removes temporary files, and baselines that have no row: what a crash left. 0, or -1 and
 * `err`. */
int baseline_sweep(int baselines_fd, sqlite3 *db, char *err);

#endif
