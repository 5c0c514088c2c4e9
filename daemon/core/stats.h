/* The daemon's own counters and gauges: one struct, made by main, handed to whoever counts. Every member is atomic;
 * any thread may add or read. GET /metrics prints the table below. */
#ifndef FORESHOCK_CORE_STATS_H
#define FORESHOCK_CORE_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "proto/wire.h"

/* X(member, Prometheus type, help); the metric's name is foreshock_<member> */
#define STATS_TABLE(X)                                                                             \
    X(messages_received_total, "counter", "Messages received on both ingest sockets.")             \
    X(connections_refused_total, "counter",                                                        \
        "Connections of trainings closed at once, for want of open files.")                        \
    X(bytes_received_total, "counter", "Bytes received on both ingest sockets.")                   \
    X(tensors_received_total, "counter", "Tensors received whole.")                                \
    X(tensors_analysed_total, "counter", "Tensors analysed.")                                      \
    X(figures_total, "counter", "Figures computed or logged.")                                     \
    X(figures_undefined_total, "counter", "Figures not published because they are undefined.")     \
    X(figures_stored_total, "counter", "Figures committed to the database.")                       \
    X(figures_dropped_queue_total, "counter",                                                      \
        "Figures not stored because the queue of the store was full.")                             \
    X(figures_dropped_disk_total, "counter",                                                       \
        "Figures and histograms not stored because the disk was short of room.")                   \
    X(dropped_budget_total, "counter", "Tensors dropped because the memory budget was spent.")     \
    X(dropped_superseded_total, "counter",                                                         \
        "Tensors dropped because a newer sample of the block was waiting.")                        \
    X(dropped_stale_total, "counter", "Tensors dropped because their pieces stopped coming.")      \
    X(dropped_shards_total, "counter",                                                             \
        "Shards dropped because the others of their step did not come in time.")                   \
    X(dropped_refused_total, "counter", "Tensors dropped because a message was refused.")          \
    X(dropped_scalars_total, "counter", "Steps of scalars dropped because the store was behind.")  \
    X(activations_late_total, "counter",                                                           \
        "Activation samples that came after their step was closed.")                               \
    X(dropped_client_total, "counter", "Samples that clients dropped by themselves.")              \
    X(passes_total, "counter", "Times a weight matrix was read by the spectrum tracker.")          \
    X(ingest_bytes, "gauge", "Bytes of tensors waiting for analysis.")                             \
    X(shard_bytes, "gauge", "Bytes of shards that wait for the others of their step.")             \
    X(partner_bytes, "gauge", "Bytes of weights that wait for the other matrices of their block.") \
    X(kept_bytes, "gauge", "Bytes of kept previous snapshots.")                                    \
    X(sessions, "gauge", "Live sessions.")                                                         \
    X(runs_running, "gauge", "Running runs.")                                                      \
    X(leases_lost_total, "counter", "Leases that ran out without a bye.")                          \
    X(stalls_total, "counter", "Times the loop stood still for more than a second.")               \
    X(store_queue, "gauge", "Batches waiting for the writer.")                                     \
    X(store_commits_total, "counter", "Transactions committed.")                                   \
    X(alerts_unrecorded, "gauge",                                                                  \
        "Changes of alerts that went out before the store could record them, and wait for it.")    \
    X(store_errors_total, "counter", "Transactions that failed and are tried again.")              \
    X(store_commit_microseconds_total, "counter", "Time spent committing.")                        \
    X(store_bytes, "gauge", "Bytes of the database and its baselines.")                            \
    X(store_disk_short, "gauge",                                                                   \
        "1 while the disk has less free than retention.disk_free_min: no figures are stored.")     \
    X(store_wal_bytes, "gauge", "Bytes of the write-ahead log.")                                   \
    X(store_retired_runs_total, "counter", "Runs, or parts of runs, removed by retention.")        \
    X(http_requests_total, "counter", "HTTP requests answered.")                                   \
    X(http_errors_total, "counter", "HTTP requests answered with a status of 400 or above.")       \
    X(http_query_microseconds_total, "counter", "Time spent reading the database for HTTP.")       \
    X(sse_clients, "gauge", "Open event streams.")                                                 \
    X(sse_dropped_total, "counter", "Events that a slow event stream lost.")

#define STATS_MEMBER(name, type, help) _Atomic uint64_t name;

struct stats {
    STATS_TABLE(STATS_MEMBER)
    _Atomic uint64_t refused[WIRE_CODE_COUNT]; /* foreshock_refused_total{code} */
    /* Progress stamps for /healthz: milliseconds of CLOCK_MONOTONIC at which each part last did a turn. */
    _Atomic uint64_t loop_turn_ms, writer_turn_ms;
    /* Oldest piece of work that a worker has in hand: when it was begun, 0 if none. */
    _Atomic uint64_t worker_since_ms;
    _Atomic uint64_t disk_short_since_ms; /* 0: the disk has room */
};

#undef STATS_MEMBER

static inline void stats_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline void stats_sub(_Atomic uint64_t *gauge, uint64_t n)
{
    atomic_fetch_sub_explicit(gauge, n, memory_order_relaxed);
}

static inline void stats_set(_Atomic uint64_t *gauge, uint64_t n)
{
    atomic_store_explicit(gauge, n, memory_order_relaxed);
}

static inline uint64_t stats_get(_Atomic uint64_t *gauge)
{
    return atomic_load_explicit(gauge, memory_order_relaxed);
}

#endif
