/* The pass of neuron_sums.h: panels of columns, in which a neuron's part of the matrix that is stored by
 * columns is turned into rows that stay in cache; the others are read where they lie. Included once for
 * float and once for double. */

#ifndef NEURON_PANEL
/* Columns of d that are turned at once. Memory is read best from multiples of two lines on, and the rows
 * of a tile must not lie at a power of two from each other: they would share a place in the cache. */
#define NEURON_PANEL   ((size_t)640)
#define NEURON_AHEAD   2    /* neurons ahead of which memory is asked */
#define NEURON_COLUMNS 8192 /* that are summed in lanes before they go to double */
enum { SQUARE_GATE, SQUARE_IN, SQUARE_OUT, IN_OUT, GATE_OUT, GATE_IN, NEURON_SUMS };
#endif

#define PAIR (2 * LANES)

/* What a pass works in. */
struct NAME(neuron_space) {
    NAME(lanes) sums[NEURON_BLOCK * NEURON_SUMS]; /* [neurons][NEURON_SUMS] */
    REAL tile[NEURON_SIDES][NEURON_BLOCK * NEURON_PANEL];
};

struct NAME(neurons) {
    const struct neuron_pass *pass;
    enum dtype dtype; /* of gate and in as the loops read them */
    bool in_place;    /* they are read where they lie */
    struct NAME(neuron_space) * space;
};

/* A panel of the block. */
struct NAME(panel) {
    size_t cols;
    struct NAME(source) side[NEURON_SIDES]; /* without data: there is no gate */
};

static size_t NAME(neuron_work)(void)
{
    return sizeof(struct NAME(neuron_space));
}

static bool NAME(is_in_place)(const struct matrix_view *view, enum dtype dtype)
{
    return !view || (view->col_stride == 1 && view->dtype == dtype && NAME(is_native)(dtype));
}

/* Columns [begin, begin + cols) of a view, where they lie or in a tile. */
static struct NAME(source) NAME(open_side)(
    const struct matrix_view *view, size_t begin, size_t cols, bool in_place, REAL *tile)
{
    struct matrix_view part = *view;
    part.data = matrix_view_at(view, 0, begin);
    part.cols = cols;
    if (in_place)
        return NAME(in_place)(&part);
    NAME(tile_load)(&part, 0, part.rows, tile);
    return (struct NAME(source)){
        (const unsigned char *)tile, (ptrdiff_t)(cols * sizeof(REAL)), REAL_DTYPE};
}

static struct NAME(panel) NAME(open_panel)(const struct NAME(neurons) * neurons, size_t begin)
{
    const struct neuron_pass *pass = neurons->pass;
    struct matrix_view rows = matrix_from(pass->out, begin);
    struct NAME(panel) panel = {.cols = rows.rows < NEURON_PANEL ? rows.rows : NEURON_PANEL};
    struct matrix_view columns = matrix_view_turned(&rows);
    columns = matrix_view_slice(&columns, pass->begin, pass->begin + pass->in->rows);
    if (pass->gate)
        panel.side[NEURON_GATE] = NAME(open_side)(
            pass->gate, begin, panel.cols, neurons->in_place, neurons->space->tile[NEURON_GATE]);
    panel.side[NEURON_IN] = NAME(open_side)(
        pass->in, begin, panel.cols, neurons->in_place, neurons->space->tile[NEURON_IN]);
    panel.side[NEURON_OUT] =
        NAME(open_side)(&columns, 0, panel.cols, false, neurons->space->tile[NEURON_OUT]);
    return panel;
}

INLINE void NAME(add_products)(
    bool gated, NAME(lanes) gate, NAME(lanes) in, NAME(lanes) out, NAME(lanes) * s)
{
    s[SQUARE_IN] += in * in;
    s[SQUARE_OUT] += out * out;
    s[IN_OUT] += in * out;
    if (!gated)
        return;
    s[SQUARE_GATE] += gate * gate;
    s[GATE_OUT] += gate * out;
    s[GATE_IN] += gate * in;
}

/* Adds a pair of vectors of each side. */
INLINE void NAME(add_pair)(enum dtype dtype, bool gated, const unsigned char *gate,
    const unsigned char *in, const unsigned char *out, NAME(lanes) * s)
{
    for (size_t u = 0; u < 2; u++) {
        size_t at = u * LANES * NAME(native_size)(dtype);
        NAME(add_products)
        (gated, gated ? NAME(load)(dtype, gate + at) : NAME(all)(0), NAME(load)(dtype, in + at),
            NAME(load)(REAL_DTYPE, out + u * VECTOR_BYTES), s);
    }
}

/* Asks for the lines from `at` on. */
INLINE void NAME(ask_for)(const unsigned char *at, size_t bytes)
{
    for (size_t n = 0; n < bytes; n += 64)
        __builtin_prefetch(at + n);
}

/* Adds a panel of one neuron and asks for that which comes `ahead` bytes behind it. */
INLINE void NAME(take_neuron)(enum dtype dtype, bool gated, const unsigned char *gate,
    const unsigned char *in, const unsigned char *out, size_t cols, ptrdiff_t ahead,
    NAME(lanes) * sums)
{
    NAME(lanes) s[NEURON_SUMS];
    size_t size = NAME(native_size)(dtype), step = PAIR * size;
    size_t whole = cols / PAIR, tail = cols % PAIR;
    for (size_t n = 0; n < NEURON_SUMS; n++)
        s[n] = NAME(all)(
            0); /* a panel on its own: rounding grows with the longest chain of additions */
    for (size_t i = 0; i < whole; i++) {
        if (gated)
            NAME(ask_for)(gate + i * step + ahead, step);
        NAME(ask_for)(in + i * step + ahead, step);
        NAME(add_pair)
        (dtype, gated, gate + i * step, in + i * step, out + i * PAIR * sizeof(REAL), s);
    }
    if (tail) {
        unsigned char padded[NEURON_SIDES][2 * VECTOR_BYTES] = {{0}};
        if (gated)
            memcpy(padded[NEURON_GATE], gate + whole * step, tail * size);
        memcpy(padded[NEURON_IN], in + whole * step, tail * size);
        memcpy(padded[NEURON_OUT], out + whole * PAIR * sizeof(REAL), tail * sizeof(REAL));
        NAME(add_pair)
        (dtype, gated, padded[NEURON_GATE], padded[NEURON_IN], padded[NEURON_OUT], s);
    }
    for (size_t n = 0; n < NEURON_SUMS; n++)
        sums[n] += s[n];
}

INLINE void NAME(take_panel)(const struct NAME(neurons) * neurons, enum dtype dtype, bool gated,
    const struct NAME(panel) * panel)
{
    for (size_t r = 0; r < neurons->pass->in->rows; r++)
        NAME(take_neuron)
    (dtype, gated, gated ? NAME(row)(&panel->side[NEURON_GATE], r) : NULL,
        NAME(row)(&panel->side[NEURON_IN], r), NAME(row)(&panel->side[NEURON_OUT], r), panel->cols,
        NEURON_AHEAD * panel->side[NEURON_IN].stride, neurons->space->sums + r * NEURON_SUMS);
}

/* Takes the lanes to double. */
static void NAME(collect_neurons)(const struct NAME(neurons) * neurons)
{
    for (size_t r = 0; r < neurons->pass->in->rows; r++) {
        struct neuron_sums *sums = &neurons->pass->sums[r];
        NAME(lanes) *lanes = neurons->space->sums + r * NEURON_SUMS;
        for (size_t i = 0; i < NEURON_SIDES; i++)
            sums->square[i] += (double)NAME(reduce)(lanes[SQUARE_GATE + i]);
        sums->in_out += (double)NAME(reduce)(lanes[IN_OUT]);
        sums->gate_out += (double)NAME(reduce)(lanes[GATE_OUT]);
        sums->gate_in += (double)NAME(reduce)(lanes[GATE_IN]);
        memset(lanes, 0, NEURON_SUMS * VECTOR_BYTES);
    }
}

#define GATED(dtype)   NAME(take_panel)(&neurons, dtype, true, &panel)
#define UNGATED(dtype) NAME(take_panel)(&neurons, dtype, false, &panel)

static void NAME(neuron_pass)(const struct neuron_pass *pass)
{
    struct NAME(neurons) neurons = {.pass = pass, .space = pass->work};
    size_t rows = pass->in->rows, d = pass->in->cols, summed = 0;
    neurons.in_place = NAME(is_in_place)(pass->gate, pass->in->dtype) &&
                       NAME(is_in_place)(pass->in, pass->in->dtype);
    neurons.dtype = neurons.in_place ? pass->in->dtype : REAL_DTYPE;
    memset(neurons.space->sums, 0, rows * NEURON_SUMS * VECTOR_BYTES);
    memset(pass->sums, 0, rows * sizeof(*pass->sums));
    for (size_t begin = 0; begin < d;) {
        struct NAME(panel) panel = NAME(open_panel)(&neurons, begin);
        if (pass->gate)
            NATIVE(neurons.dtype, GATED)
        else
            NATIVE(neurons.dtype, UNGATED)
        begin += panel.cols;
        summed += panel.cols;
        if (summed < NEURON_COLUMNS && begin < d)
            continue;
        NAME(collect_neurons)(&neurons);
        summed = 0;
    }
}

#undef PAIR
#undef GATED
#undef UNGATED
