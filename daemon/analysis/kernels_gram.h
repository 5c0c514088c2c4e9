/* The fused pass of gram.h over tiles of rows that stay in the second-level cache: measured while they
 * come from memory (kernels_run.h), then multiplied by V in chunks of columns, and back, while the next
 * tile is asked for.
 *
 * V and Z lie packed, [pair of vectors][2][width][lane], columns in the order in which NAME(load_pair)
 * gives them, so that a loop over columns walks one stream. Included once for float and once for double.
 */

#ifndef TILE_BYTES
#define TILE_BYTES ((size_t)128 << 10)
#define TILE_MIN   8
#define TILE_MAX   64
#define CHUNK      ((size_t)512)  /* columns whose part of V stays in the first-level cache */
#define PANEL      ((size_t)8192) /* columns that are summed in lanes before they go to double */
#define FLUSH_ROWS 128            /* rows that Z sums in lanes before they go to double */
#define SLICE      4              /* vectors that are multiplied at once */
#define CACHE_LINE 64
#endif

#define PAIR (2 * LANES)

struct NAME(gram) {
    const struct gram_pass *pass;
    size_t cols, width; /* the pass's width, rounded up to 1, 2, 4 or 8 */
    size_t tile_rows;
    size_t whole, tail;    /* pairs of vectors that a row fills, columns behind them */
    bool interleaved;      /* see NAME(interleaves) */
    size_t unflushed;      /* rows in z_lanes that are not in z */
    NAME(lanes) * v;       /* [pairs][2][width] */
    NAME(lanes) * z_lanes; /* [pairs][2][width] */
    double *z;             /* [pairs][2][width][LANES] */
    NAME(lanes) * y_lanes; /* [tile_rows][width] */
    REAL *y;               /* [tile_rows][width] */
    struct NAME(copies) copies;
};

/* `turned`: W is stored by columns, which are read and turned in long runs. */
INLINE size_t NAME(tile_rows)(size_t rows, size_t cols, size_t size, bool turned)
{
    size_t fitting = TILE_BYTES / size / cols / GROUP_ROWS * GROUP_ROWS;
    size_t wanted = turned || fitting > TILE_MAX ? TILE_MAX
                    : fitting < TILE_MIN         ? TILE_MIN
                                                 : fitting;
    return wanted < rows ? wanted : rows;
}

/* `size`: of an element as the loops read it. */
static struct NAME(gram)
    NAME(gram_of)(size_t rows, size_t cols, size_t size, bool turned, size_t width)
{
    return (struct NAME(gram)){.cols = cols,
        .width = width <= 2   ? width
                 : width <= 4 ? 4
                              : 8,
        .tile_rows = NAME(tile_rows)(rows, cols, size, turned),
        .whole = cols / PAIR,
        .tail = cols % PAIR};
}

/* Lanes of V, and of Z. */
INLINE size_t NAME(block)(const struct NAME(gram) * gram)
{
    return (gram->whole + (gram->tail > 0)) * 2 * gram->width;
}

/* Lays the buffers out in `work` and returns their bytes. */
static size_t NAME(lay_out)(struct NAME(gram) * gram, unsigned char *work)
{
    size_t block = NAME(block)(gram), tile = gram->tile_rows, used = 0;
    size_t tile_bytes = tile * gram->cols * sizeof(REAL);
#define PIECE(member, bytes) (gram->member = (void *)(work + used), used += round_up(bytes, 64))
    PIECE(v, block * VECTOR_BYTES);
    PIECE(z_lanes, block * VECTOR_BYTES);
    PIECE(z, block * LANES * sizeof(double));
    PIECE(y_lanes, tile * gram->width * VECTOR_BYTES);
    PIECE(y, tile * gram->width * sizeof(REAL));
    PIECE(copies.w, tile_bytes);
    for (size_t i = 0; i < GRAM_REFERENCES; i++)
        PIECE(copies.reference[i], tile_bytes);
#undef PIECE
    return used;
}

static size_t NAME(gram_work)(size_t rows, size_t cols)
{
    static unsigned char nowhere[1];
    struct NAME(gram) gram = NAME(gram_of)(rows, cols, sizeof(REAL), true, GRAM_WIDTH);
    return NAME(lay_out)(&gram, nowhere);
}

/* Where column c of vector j lies in V and Z, in elements. */
INLINE size_t NAME(packed)(const struct NAME(gram) * gram, size_t j, size_t c)
{
    size_t pair = c / PAIR, place = c % PAIR;
    size_t u = gram->interleaved ? place % 2 : place / LANES;
    size_t lane = gram->interleaved ? place / 2 : place % LANES;
    return ((pair * 2 + u) * gram->width + j) * LANES + lane;
}

static void NAME(gram_open)(struct NAME(gram) * gram, const struct gram_pass *pass)
{
    bool in_place = true, turned = false;
    for (size_t i = 0; i < pass->w->count; i++) {
        const struct matrix_view *part = &pass->w->part[i];
        in_place = in_place && NAME(serves_as_it_is)(pass, part);
        turned = turned || (part->row_stride == 1 && part->col_stride != 1);
    }
    size_t size = in_place ? dtype_size(pass->w->dtype) : sizeof(REAL);
    *gram = NAME(gram_of)(pass->w->rows, pass->w->cols, size, turned, pass->width);
    gram->pass = pass;
    gram->copies.w_in_place = in_place;
    gram->interleaved = in_place && NAME(interleaves)(pass->w->dtype);
    NAME(lay_out)(gram, pass->work);
    size_t block = NAME(block)(gram);
    REAL *v = (REAL *)gram->v;
    memset(gram->v, 0, block * VECTOR_BYTES);
    memset(gram->z_lanes, 0, block * VECTOR_BYTES);
    memset(gram->z, 0, block * LANES * sizeof(double));
    for (size_t j = 0; j < pass->width; j++)
        for (size_t c = 0; c < gram->cols; c++)
            v[NAME(packed)(gram, j, c)] = (REAL)pass->in[j * gram->cols + c];
}

static void NAME(gram_close)(const struct NAME(gram) * gram)
{
    const struct gram_pass *pass = gram->pass;
    for (size_t j = 0; j < pass->width; j++)
        for (size_t c = 0; c < gram->cols; c++)
            pass->out[j * gram->cols + c] = gram->z[NAME(packed)(gram, j, c)];
}

/* Columns [begin, end) of pairs, and the tail behind them where it is the last part of a row. */
struct NAME(span) {
    size_t begin, end, tail;
};

INLINE struct NAME(span) NAME(span)(const struct NAME(gram) * gram, size_t begin, size_t columns)
{
    size_t step = columns / PAIR;
    size_t end = gram->whole - begin <= step ? gram->whole : begin + step;
    return (struct NAME(span)){begin, end, end == gram->whole ? gram->tail : 0};
}

/* The rows that come next, where they lie in one piece: asked for line by line while others are worked
 * on, at the pace of the work, for a cache takes few requests at once. */
INLINE void NAME(ask)(const unsigned char **ahead, size_t lines)
{
    for (size_t i = 0; i < lines; i++, *ahead += CACHE_LINE)
        __builtin_prefetch(*ahead, 0, 2);
}

/* acc[row][vector] += the products of a pair of columns of `rows` rows; v is at the pair. */
INLINE void NAME(project_pair)(enum dtype dtype, size_t rows, size_t slice, size_t width,
    const unsigned char *at, ptrdiff_t stride, const NAME(lanes) * v,
    NAME(lanes) acc[GROUP_ROWS][SLICE])
{
    NAME(lanes) pair[2], block[2][SLICE];
    for (size_t u = 0; u < 2; u++)
        for (size_t j = 0; j < slice; j++)
            block[u][j] = v[u * width + j];
    for (size_t r = 0; r < rows; r++) {
        NAME(load_pair)(dtype, at + (ptrdiff_t)r * stride, pair);
        for (size_t u = 0; u < 2; u++)
            for (size_t j = 0; j < slice; j++)
                acc[r][j] += pair[u] * block[u][j];
    }
}

/* Adds the products of `rows` rows with `slice` vectors over a span to sum[rows][width]. */
INLINE void NAME(project_group)(enum dtype dtype, size_t rows, size_t slice, size_t width,
    const struct NAME(source) * w, size_t row, struct NAME(span) span, const NAME(lanes) * v,
    NAME(lanes) * sum, const unsigned char **ahead)
{
    const unsigned char *data = NAME(row)(w, row), *soon = *ahead;
    size_t size = NAME(native_size)(dtype), step = PAIR * size;
    size_t lines = (width == 8 ? 2 : 4) * size / sizeof(REAL) * rows / GROUP_ROWS;
    NAME(lanes) acc[GROUP_ROWS][SLICE];
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < slice; j++)
            acc[r][j] = NAME(all)(0);
    for (size_t i = span.begin; i < span.end; i++) {
        NAME(ask)(&soon, lines);
        NAME(project_pair)
        (dtype, rows, slice, width, data + i * step, w->stride, v + 2 * i * width, acc);
    }
    if (span.tail) {
        unsigned char padded[GROUP_ROWS][2 * VECTOR_BYTES] = {{0}};
        for (size_t r = 0; r < rows; r++)
            memcpy(padded[r], data + (ptrdiff_t)r * w->stride + span.end * step, span.tail * size);
        NAME(project_pair)
        (dtype, rows, slice, width, padded[0], sizeof(padded[0]), v + 2 * span.end * width, acc);
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < slice; j++)
            sum[r * width + j] += acc[r][j];
    *ahead = soon;
}

#define GROUP(dtype, slice, width)                                                                 \
    NAME(project_group)(dtype, GROUP_ROWS, slice, width, w, r, span, v, sum, ahead)
#define ONE(dtype, slice, width)                                                                   \
    NAME(project_group)(dtype, 1, slice, width, w, r, span, v, sum, ahead)
#define WIDTH(dtype, CALL)                                                                         \
    switch (gram->width) {                                                                         \
    case 1: CALL(dtype, 1, 1); break;                                                              \
    case 2: CALL(dtype, 2, 2); break;                                                              \
    case 4: CALL(dtype, SLICE, 4); break;                                                          \
    default: CALL(dtype, SLICE, 8); break;                                                         \
    }
#define GROUP_WIDTH(dtype) WIDTH(dtype, GROUP)
#define ONE_WIDTH(dtype)   WIDTH(dtype, ONE)

/* Adds the products of a tile over a span to y_lanes. */
static void NAME(project_span)(const struct NAME(gram) * gram, const struct NAME(source) * w,
    size_t rows, struct NAME(span) span, const unsigned char **ahead)
{
    for (size_t j = 0; j < gram->width; j += SLICE) {
        const NAME(lanes) *v = gram->v + j;
        NAME(lanes) *sum = gram->y_lanes + j;
        size_t r = 0;
        for (; r + GROUP_ROWS <= rows; r += GROUP_ROWS, sum += GROUP_ROWS * gram->width)
            NATIVE(w->dtype, GROUP_WIDTH)
        for (; r < rows; r++, sum += gram->width)
            NATIVE(w->dtype, ONE_WIDTH)
    }
}

/* Y of a tile that lies in cache: in chunks of columns, so that V is read from cache but once a tile. */
static void NAME(project)(const struct NAME(gram) * gram, const struct NAME(tile) * tile, double *y,
    const unsigned char **ahead)
{
    size_t n = tile->rows * gram->width;
    memset(gram->y_lanes, 0, n * VECTOR_BYTES);
    for (size_t begin = 0; begin < gram->whole || begin == 0; begin += CHUNK / PAIR) {
        struct NAME(span) span = NAME(span)(gram, begin, CHUNK);
        NAME(project_span)(gram, &tile->w, tile->rows, span, ahead);
        if (span.end != gram->whole && span.end % (PANEL / PAIR) != 0)
            continue;
        for (size_t i = 0; i < n; i++) {
            y[i] += (double)NAME(reduce)(gram->y_lanes[i]);
            gram->y_lanes[i] = (NAME(lanes)){0};
        }
    }
}

static void NAME(measure_tile)(const struct NAME(gram) * gram, const struct NAME(tile) * tile)
{
    for (size_t row = 0; row < tile->rows; row++) {
        for (size_t begin = 0; begin < gram->whole || begin == 0; begin += PANEL / PAIR) {
            struct NAME(span) span = NAME(span)(gram, begin, PANEL);
            NAME(measure)(gram->pass, tile, row, span.begin, span.end, span.tail);
        }
    }
}

/* z += W^T y over `count` pairs of columns from `data` on, for a constant width. */
INLINE void NAME(project_back_pairs)(enum dtype dtype, size_t width, const unsigned char *data,
    ptrdiff_t stride, size_t rows, const REAL *y, size_t count, NAME(lanes) * z,
    const unsigned char **ahead)
{
    const unsigned char *soon = *ahead;
    size_t size = NAME(native_size)(dtype);
    for (; count > 0; count--, data += PAIR * size, z += 2 * width) {
        const unsigned char *at = data;
        NAME(lanes) sum[2][GRAM_WIDTH];
        for (size_t n = 0; n < 2 * width; n++)
            sum[n / width][n % width] = NAME(all)(0);
        for (size_t r = 0; r < rows; r++, at += stride) {
            NAME(lanes) pair[2];
            if (size == sizeof(REAL) || width == 8 || r % 2)
                NAME(ask)(&soon, 1);
            NAME(load_pair)(dtype, at, pair);
            for (size_t j = 0; j < width; j++)
                for (size_t u = 0; u < 2; u++)
                    sum[u][j] += pair[u] * y[r * width + j];
        }
        for (size_t n = 0; n < 2 * width; n++)
            z[n] += sum[n / width][n % width];
    }
    *ahead = soon;
}

#define BACK(dtype)                                                                                \
    switch (gram->width) {                                                                         \
    case 1: BACK_WIDTH(dtype, 1); break;                                                           \
    case 2: BACK_WIDTH(dtype, 2); break;                                                           \
    case 4: BACK_WIDTH(dtype, 4); break;                                                           \
    default: BACK_WIDTH(dtype, 8); break;                                                          \
    }
#define BACK_WIDTH(dtype, width)                                                                   \
    NAME(project_back_pairs)(dtype, width, data, stride, rows, gram->y, count, z, ahead)

/* z_lanes += tile^T y. */
static void NAME(project_back)(const struct NAME(gram) * gram, const struct NAME(source) * w,
    size_t rows, const unsigned char **ahead)
{
    const unsigned char *data = w->data;
    ptrdiff_t stride = w->stride;
    NAME(lanes) *z = gram->z_lanes;
    size_t count = gram->whole, size = dtype_size(w->dtype);
    NATIVE(w->dtype, BACK)
    if (!gram->tail)
        return;
    unsigned char padded[TILE_MAX][2 * VECTOR_BYTES];
    memset(padded, 0, rows * sizeof(padded[0]));
    for (size_t r = 0; r < rows; r++)
        memcpy(padded[r], NAME(row)(w, r) + gram->whole * PAIR * size, gram->tail * size);
    data = padded[0];
    stride = sizeof(padded[0]);
    z += gram->whole * 2 * gram->width;
    count = 1;
    NATIVE(w->dtype, BACK)
}

static void NAME(flush)(struct NAME(gram) * gram)
{
    size_t block = NAME(block)(gram);
    for (size_t i = 0; i < block; i++)
        for (size_t lane = 0; lane < LANES; lane++)
            gram->z[i * LANES + lane] += (double)gram->z_lanes[i][lane];
    memset(gram->z_lanes, 0, block * VECTOR_BYTES);
    gram->unflushed = 0;
}

static void NAME(take_tile)(
    struct NAME(gram) * gram, const struct NAME(tile) * tile, const unsigned char *ahead)
{
    double y[TILE_MAX * GRAM_WIDTH];
    size_t n = tile->rows * gram->width;
    memset(y, 0, n * sizeof(*y));
    if (gram->pass->sums)
        NAME(measure_tile)(gram, tile);
    NAME(project)(gram, tile, y, &ahead);
    for (size_t i = 0; i < n; i++)
        gram->y[i] = (REAL)y[i];
    NAME(project_back)(gram, &tile->w, tile->rows, &ahead);
    gram->unflushed += tile->rows;
}

static void NAME(gram_pass)(const struct gram_pass *pass)
{
    struct NAME(gram) gram;
    size_t rows = pass->w->rows;
    NAME(gram_open)(&gram, pass);
    if (pass->sums)
        *pass->sums = (struct gram_sums){0};
    for (size_t row = 0; row < rows;) {
        struct NAME(tile) tile = NAME(open_tile)(pass, row, gram.tile_rows, &gram.copies);
        row += tile.rows;
        NAME(take_tile)(&gram, &tile, NAME(row)(&tile.w, tile.rows));
        if (gram.unflushed >= FLUSH_ROWS || row == rows)
            NAME(flush)(&gram);
    }
    NAME(gram_close)(&gram);
}

#undef GROUP
#undef ONE
#undef WIDTH
#undef GROUP_WIDTH
#undef ONE_WIDTH
#undef BACK
#undef BACK_WIDTH
#undef PAIR
