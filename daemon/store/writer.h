/* The writer thread: takes what waits, commits it, tells the sink, then spends a slice on
 * checkpoints and retention. */
#ifndef FORESHOCK_STORE_WRITER_H
#define FORESHOCK_STORE_WRITER_H

/* Ends when the store's queue is closed and what waited is committed, or given up. `store` is a
 * struct store. */
void *writer_main(void *store);

#endif
