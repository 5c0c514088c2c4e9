/* The pass of align.h, a few rows at a time: they are measured as they come from memory, then, their
 * lengths being known, added to the unit sum from the caches. Memory rests meanwhile, so what follows is
 * asked for, at a pace that leaves the cache its breath. Included once for float and once for double.
 *
 * v1 and the unit sum lie in the order in which NAME(load_pair) gives the columns. */

#ifndef ALIGN_ROWS
#define ALIGN_ROWS  8                   /* rows that are measured before they are added */
#define ALIGN_BYTES ((size_t)128 << 10) /* of them, where that is more than one row */
#define ALIGN_PANEL ((size_t)8192) /* columns that are summed in lanes before they go to double */
#define ALIGN_RUN   32             /* pairs that are summed at a time */
#define ALIGN_FLUSH 64             /* rows that the unit sum takes in lanes before that */
#define ALIGN_PAIRS 4   /* pairs of vectors that stay in registers while rows are added */
#define ALIGN_AHEAD 256 /* bytes added for each line of 64 that is asked for */
#endif

#define PAIR (2 * LANES)

struct NAME(align) {
    enum dtype dtype; /* of the rows as the loops read them */
    size_t cols, whole, tail;
    size_t rows;        /* that are measured before they are added */
    NAME(lanes) * v;    /* [pairs][2] */
    NAME(lanes) * sum;  /* [pairs][2] */
    double *total;      /* [pairs][PAIR] */
    size_t unflushed;   /* rows in sum that are not in total */
    REAL *copy;         /* [rows][cols], NULL: rows are read in place */
    double least, most; /* sums of squares that are taken */
    NAME(lanes) max_abs;
};

/* What a run along a row adds up. */
struct NAME(align_sums) {
    NAME(lanes) square, dot, max_abs;
};

/* Rows that were measured and are sound. */
struct NAME(batch) {
    size_t count;
    const unsigned char *at[ALIGN_ROWS + 1];
    REAL factor[ALIGN_ROWS + 1]; /* 1 / |x| */
};

INLINE size_t NAME(align_rows)(size_t cols, size_t size)
{
    size_t fitting = ALIGN_BYTES / size / cols;
    return fitting < 1 ? 1 : fitting < ALIGN_ROWS ? fitting : ALIGN_ROWS;
}

static size_t NAME(align_lay_out)(struct NAME(align) * align, unsigned char *work)
{
    size_t pairs = align->cols / PAIR + 1, used = 0;
#define PIECE(member, bytes) (align->member = (void *)(work + used), used += round_up(bytes, 64))
    PIECE(v, pairs * 2 * VECTOR_BYTES);
    PIECE(sum, pairs * 2 * VECTOR_BYTES);
    PIECE(total, pairs * PAIR * sizeof(double));
    PIECE(copy, NAME(align_rows)(align->cols, sizeof(REAL)) * align->cols * sizeof(REAL));
#undef PIECE
    return used;
}

static size_t NAME(align_work)(size_t cols)
{
    static unsigned char nowhere[1];
    struct NAME(align) align = {.cols = cols};
    return NAME(align_lay_out)(&align, nowhere);
}

/* Where column c lies in v, sum and total. */
INLINE size_t NAME(align_place)(const struct NAME(align) * align, size_t c)
{
    size_t place = c % PAIR;
    if (NAME(interleaves)(align->dtype))
        place = place % 2 * LANES + place / 2;
    return c / PAIR * PAIR + place;
}

static void NAME(align_open)(struct NAME(align) * align, const struct align_pass *pass)
{
    const struct matrix_view *x = pass->x;
    int exponent = REAL_BYTES == 4 ? ALIGN_EXPONENT_F32 : ALIGN_EXPONENT_F64;
    bool in_place = x->col_stride == 1 && NAME(is_native)(x->dtype);
    *align = (struct NAME(align)){.dtype = in_place ? x->dtype : REAL_DTYPE,
        .cols = x->cols,
        .whole = x->cols / PAIR,
        .tail = x->cols % PAIR,
        .least = ldexp((double)x->cols, -exponent),
        .most = ldexp((double)x->cols, exponent)};
    align->rows = NAME(align_rows)(x->cols, dtype_size(align->dtype));
    NAME(align_lay_out)(align, pass->work);
    if (in_place)
        align->copy = NULL;
    size_t pairs = align->whole + 1;
    memset(align->v, 0, pairs * 2 * VECTOR_BYTES);
    memset(align->sum, 0, pairs * 2 * VECTOR_BYTES);
    memset(align->total, 0, pairs * PAIR * sizeof(double));
    for (size_t c = 0; c < x->cols; c++)
        ((REAL *)align->v)[NAME(align_place)(align, c)] = (REAL)pass->v1[c];
}

static void NAME(align_flush)(struct NAME(align) * align)
{
    const REAL *sum = (const REAL *)align->sum;
    size_t n = (align->whole + 1) * PAIR;
    for (size_t i = 0; i < n; i++)
        align->total[i] += (double)sum[i];
    memset(align->sum, 0, n * sizeof(REAL));
    align->unflushed = 0;
}

static void NAME(align_close)(struct NAME(align) * align, struct align_pass *pass)
{
    NAME(align_flush)(align);
    for (size_t c = 0; c < align->cols; c++)
        pass->unit_sum[c] += align->total[NAME(align_place)(align, c)];
    REAL lane[LANES];
    memcpy(lane, &align->max_abs, sizeof(lane));
    for (size_t i = 0; i < LANES; i++)
        pass->max_abs = (double)lane[i] > pass->max_abs ? (double)lane[i] : pass->max_abs;
}

/* The larger magnitude, lane by lane; for a NaN whatever comes out. */
INLINE NAME(lanes) NAME(larger)(NAME(lanes) a, NAME(lanes) b)
{
#if defined(__AVX512F__) && REAL_BYTES == 4
    return (NAME(lanes))_mm512_range_ps((__m512)a, (__m512)b, 0xb);
#elif defined(__AVX512F__)
    return (NAME(lanes))_mm512_range_pd((__m512d)a, (__m512d)b, 0xb);
#else
    NAME(bits) sign = (NAME(bits))NAME(all)((REAL)-0.0);
    NAME(bits) first = (NAME(bits))a & ~sign, second = (NAME(bits))b & ~sign;
    NAME(bits) more = (NAME(bits))((NAME(lanes))first > (NAME(lanes))second);
    return (NAME(lanes))((more & first) | (~more & second));
#endif
}

INLINE void NAME(measure_pair)(
    enum dtype dtype, const unsigned char *at, const NAME(lanes) * v, struct NAME(align_sums) * s)
{
    NAME(lanes) x[2];
    NAME(load_pair)(dtype, at, x);
    s->square += NAME(pair_product)(x[0], x[1], x[0], x[1]);
    s->dot += NAME(pair_product)(x[0], x[1], v[0], v[1]);
    s->max_abs = NAME(larger)(s->max_abs, NAME(larger)(x[0], x[1]));
}

INLINE void NAME(add_measures)(struct NAME(align_sums) * sum, const struct NAME(align_sums) * s)
{
    sum->square += s->square;
    sum->dot += s->dot;
    sum->max_abs = NAME(larger)(sum->max_abs, s->max_abs);
}

/* Measures the pairs [begin, end) of a row, and the tail behind the last; ALIGN_RUN at a time, for rounding
 * grows with the longest chain of additions. */
INLINE struct NAME(align_sums) NAME(measure_run)(const struct NAME(align) * align, enum dtype dtype,
    const unsigned char *at, size_t begin, size_t end)
{
    NAME(lanes) none = NAME(all)(0);
    struct NAME(align_sums) sum = {none, none, none};
    size_t step = PAIR * NAME(native_size)(dtype);
    for (size_t i = begin; i < end;) {
        struct NAME(align_sums) s = {none, none, none};
        size_t stop = end - i < ALIGN_RUN ? end : i + ALIGN_RUN;
        for (; i < stop; i++)
            NAME(measure_pair)(dtype, at + i * step, align->v + 2 * i, &s);
        NAME(add_measures)(&sum, &s);
    }
    if (end == align->whole && align->tail) {
        unsigned char padded[2 * VECTOR_BYTES] = {0};
        memcpy(padded, at + end * step, align->tail * NAME(native_size)(dtype));
        NAME(measure_pair)(dtype, padded, align->v + 2 * end, &sum);
    }
    return sum;
}

/* Measures a row, and takes it into the batch if its squares are sound. */
INLINE void NAME(measure_row)(struct NAME(align) * align, enum dtype dtype, struct align_pass *pass,
    size_t row, const unsigned char *at, struct NAME(batch) * batch)
{
    double square = 0, dot = 0;
    NAME(lanes) max_abs = NAME(all)(0);
    for (size_t begin = 0; begin < align->whole || begin == 0; begin += ALIGN_PANEL / PAIR) {
        size_t left = align->whole - begin, most = ALIGN_PANEL / PAIR;
        struct NAME(align_sums) s =
            NAME(measure_run)(align, dtype, at, begin, begin + (left < most ? left : most));
        square += (double)NAME(reduce)(s.square);
        dot += (double)NAME(reduce)(s.dot);
        max_abs = NAME(larger)(max_abs, s.max_abs);
    }
    bool sound = square >= align->least && square <= align->most;
    pass->square[row] = sound ? square : -1;
    pass->dot[row] = dot;
    if (!sound)
        return;
    align->max_abs = NAME(larger)(align->max_abs, max_abs);
    batch->at[batch->count] = at;
    batch->factor[batch->count++] = (REAL)(1 / sqrt(square));
}

/* Adds `pairs` pairs of two rows, from byte `offset` on, to the unit sum. */
INLINE void NAME(add_pairs)(enum dtype dtype, size_t pairs, const unsigned char *const at[2],
    const REAL factor[2], size_t offset, NAME(lanes) * sum)
{
    NAME(lanes) s[ALIGN_PAIRS][2], x[2];
    for (size_t i = 0; i < pairs; i++)
        for (size_t u = 0; u < 2; u++)
            s[i][u] = sum[2 * i + u];
    for (size_t r = 0; r < 2; r++) {
        for (size_t i = 0; i < pairs; i++) {
            NAME(load_pair)(dtype, at[r] + offset + i * PAIR * NAME(native_size)(dtype), x);
            s[i][0] += x[0] * factor[r];
            s[i][1] += x[1] * factor[r];
        }
    }
    for (size_t i = 0; i < pairs; i++)
        for (size_t u = 0; u < 2; u++)
            sum[2 * i + u] = s[i][u];
}

/* Adds two rows to the unit sum and asks for what lies at *ahead. */
INLINE void NAME(add_rows)(const struct NAME(align) * align, enum dtype dtype,
    const unsigned char *const at[2], const REAL factor[2], const unsigned char **ahead)
{
    size_t size = NAME(native_size)(dtype), step = PAIR * size, i = 0;
    const unsigned char *soon = *ahead;
    for (; i + ALIGN_PAIRS <= align->whole; i += ALIGN_PAIRS) {
        for (size_t n = 0; n < 2 * ALIGN_PAIRS * step; n += ALIGN_AHEAD, soon += 64)
            __builtin_prefetch(soon, 0, 2);
        NAME(add_pairs)(dtype, ALIGN_PAIRS, at, factor, i * step, align->sum + 2 * i);
    }
    for (; i < align->whole; i++)
        NAME(add_pairs)(dtype, 1, at, factor, i * step, align->sum + 2 * i);
    *ahead = soon;
    if (!align->tail)
        return;
    unsigned char padded[2][2 * VECTOR_BYTES] = {{0}};
    for (size_t r = 0; r < 2; r++)
        memcpy(padded[r], at[r] + i * step, align->tail * size);
    NAME(add_pairs)
    (dtype, 1, (const unsigned char *const[2]){padded[0], padded[1]}, factor, 0,
        align->sum + 2 * i);
}

/* A few rows, where they lie or copied as REAL. */
static struct NAME(source) NAME(align_rows_at)(
    const struct NAME(align) * align, const struct matrix_view *x, size_t row, size_t count)
{
    struct matrix_view rows = matrix_view_slice(x, row, row + count);
    if (!align->copy)
        return NAME(in_place)(&rows);
    NAME(tile_load)(&rows, 0, count, align->copy);
    return (struct NAME(source)){
        (const unsigned char *)align->copy, (ptrdiff_t)(align->cols * sizeof(REAL)), REAL_DTYPE};
}

INLINE void NAME(align_all)(struct NAME(align) * align, enum dtype dtype, struct align_pass *pass)
{
    size_t count;
    for (size_t row = 0; row < pass->x->rows; row += count) {
        count = pass->x->rows - row < align->rows ? pass->x->rows - row : align->rows;
        struct NAME(source) rows = NAME(align_rows_at)(align, pass->x, row, count);
        struct NAME(batch) batch = {.count = 0};
        for (size_t r = 0; r < count; r++)
            NAME(measure_row)(align, dtype, pass, row + r, NAME(row)(&rows, r), &batch);
        batch.at[batch.count] = batch.at[0]; /* an odd one is added with 0 times the first */
        const unsigned char *ahead = NAME(row)(&rows, count);
        for (size_t r = 0; r < batch.count; r += 2)
            NAME(add_rows)(align, dtype, batch.at + r, batch.factor + r, &ahead);
        align->unflushed += count;
        if (align->unflushed >= ALIGN_FLUSH)
            NAME(align_flush)(align);
    }
}

#define ALL(dtype) NAME(align_all)(&align, dtype, pass)

static void NAME(align_pass)(struct align_pass *pass)
{
    struct NAME(align) align;
    NAME(align_open)(&align, pass);
    NATIVE(align.dtype, ALL)
    NAME(align_close)(&align, pass);
}

#undef ALL
#undef PAIR
