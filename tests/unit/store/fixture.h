/* A store in a fresh folder, and short ways to fill it. Every failure ends the test. */
#ifndef FORESHOCK_TESTS_UNIT_STORE_FIXTURE_H
#define FORESHOCK_TESTS_UNIT_STORE_FIXTURE_H

#include "daemon/store/store.h"

struct fixture {
    char dir[64];
    struct stats stats;
    struct store_options options;
    struct store *store;
};

int fixture_setup(void **state);    /* cmocka: *state becomes a struct fixture with an open store */
int fixture_teardown(void **state); /* closes it and removes the folder */

void fixture_open(struct fixture *fixture); /* with fixture->options */
void fixture_reopen(struct fixture *fixture);
void fixture_remove(const char *dir); /* the folder and all that is in it */

void fixture_submit(struct fixture *fixture, struct store_batch *batch);
void fixture_flush(struct fixture *fixture); /* waits until all that was submitted is committed */

/* Waits (20 s at most) until `condition` holds. */
void fixture_await(bool (*condition)(void *ctx), void *ctx);

struct store_run fixture_run(int64_t id, const char *key);
struct store_layer fixture_layer(int64_t id, int64_t run, const char *name);
struct alert_record fixture_alert(
    int64_t id, int64_t run); /* fires, with one layer and its evidence */
/* The layers of an alert, up to a NULL, and one piece of evidence for each, or none. */
void fixture_alert_layers(struct alert_record *alert, const char *const *layers, bool has_evidence);
struct figure fixture_figure(
    int64_t run, int64_t layer, const char *metric, int64_t step, double value);

/* A number from the database file, by a connection of the test's own. */
int64_t fixture_query(const struct fixture *fixture, const char *sql);

#endif
