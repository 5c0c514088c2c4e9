/* The kernels for one floating type. Included by kernels.c once for each, with REAL, REAL_MAX and
 * NAME defined; hence no include guard. */

/* One row of the block: GRAM_WIDTH lanes. */
typedef REAL NAME(lanes) __attribute__((vector_size(GRAM_WIDTH * sizeof(REAL))));

/* The work of a pass, carved out of one buffer. */
struct NAME(gram_work) {
    size_t tile_rows;
    double *z;           /* [cols][GRAM_WIDTH] */
    double *y;           /* [tile_rows][GRAM_WIDTH] */
    NAME(lanes) * v;     /* [cols] */
    NAME(lanes) * z_sum; /* [cols], what was not yet added to z */
    REAL *tile;          /* [tile_rows][cols] */
    REAL *reference;     /* [tile_rows][cols] */
};

size_t NAME(gram_work_size)(size_t rows, size_t cols)
{
    size_t tile = tile_rows(rows, cols);
    return (cols + tile) * GRAM_WIDTH * sizeof(double) + 2 * cols * sizeof(NAME(lanes)) +
           2 * round_up(tile * cols * sizeof(REAL), 64);
}

static struct NAME(gram_work) NAME(carve)(const struct gram_pass *pass)
{
    size_t cols = pass->w->cols;
    struct NAME(gram_work) work = {.tile_rows = tile_rows(pass->w->rows, cols)};
    work.z = pass->work;
    work.y = work.z + cols * GRAM_WIDTH;
    work.v = (void *)(work.y + work.tile_rows * GRAM_WIDTH);
    work.z_sum = work.v + cols;
    work.tile = (void *)(work.z_sum + cols);
    work.reference =
        (void *)((unsigned char *)work.tile + round_up(work.tile_rows * cols * sizeof(REAL), 64));
    return work;
}

/* A view stored by columns: runs down TURN_COLS columns are converted, then turned into rows. */
static void NAME(load_turned)(
    const struct matrix_view *view, size_t begin, size_t count, REAL *tile)
{
    size_t size = dtype_size(view->dtype);
    const unsigned char *data = view->data;
    REAL run[TURN_COLS][TILE_ROWS_MAX];
    for (size_t r0 = 0; r0 < count; r0 += TILE_ROWS_MAX) {
        size_t rows = count - r0 < TILE_ROWS_MAX ? count - r0 : TILE_ROWS_MAX;
        for (size_t c0 = 0; c0 < view->cols; c0 += TURN_COLS) {
            size_t cols = view->cols - c0 < TURN_COLS ? view->cols - c0 : TURN_COLS;
            for (size_t c = 0; c < cols; c++) {
                ptrdiff_t at = (ptrdiff_t)(begin + r0) + (ptrdiff_t)(c0 + c) * view->col_stride;
                NAME(convert)(view->dtype, data + at * (ptrdiff_t)size, rows, run[c]);
            }
            for (size_t r = 0; r < rows; r++)
                for (size_t c = 0; c < cols; c++)
                    tile[(r0 + r) * view->cols + c0 + c] = run[c][r];
        }
    }
}

/* A row whose elements lie apart. */
static void NAME(load_strided)(const struct matrix_view *view, const unsigned char *row, REAL *dst)
{
    size_t size = dtype_size(view->dtype);
    ptrdiff_t stride = view->col_stride * (ptrdiff_t)size;
    unsigned char run[CONVERT_RUN * 8];
    for (size_t c = 0; c < view->cols; c += CONVERT_RUN) {
        size_t n = view->cols - c < CONVERT_RUN ? view->cols - c : CONVERT_RUN;
        gather(row + (ptrdiff_t)c * stride, stride, size, n, run);
        NAME(convert)(view->dtype, run, n, dst + c);
    }
}

void NAME(tile_load)(const struct matrix_view *view, size_t begin, size_t count, REAL *tile)
{
    if (view->row_stride == 1 && view->col_stride != 1) {
        NAME(load_turned)(view, begin, count, tile);
        return;
    }
    ptrdiff_t stride = view->row_stride * (ptrdiff_t)dtype_size(view->dtype);
    const unsigned char *data = view->data;
    for (size_t r = 0; r < count; r++) {
        const unsigned char *row = data + (ptrdiff_t)(begin + r) * stride;
        if (view->col_stride == 1)
            NAME(convert)(view->dtype, row, view->cols, tile + r * view->cols);
        else
            NAME(load_strided)(view, row, tile + r * view->cols);
    }
}

static void NAME(scale_tile)(REAL *tile, size_t n, double scale)
{
    REAL factor = (REAL)scale;
    for (size_t i = 0; i < n; i++)
        tile[i] *= factor;
}

/* What NAME(scan) collects, lane by lane. */
struct NAME(scan_lanes) {
    REAL largest[GRAM_WIDTH];
    uint32_t bad[GRAM_WIDTH];
};

static inline void NAME(scan_group)(
    struct NAME(scan_lanes) * lanes, const REAL *values, size_t count)
{
    for (size_t j = 0; j < count; j++) {
        REAL magnitude = values[j] < 0 ? -values[j] : values[j];
        bool finite = magnitude <= REAL_MAX;
        lanes->bad[j] += !finite;
        magnitude = finite ? magnitude : 0;
        lanes->largest[j] = magnitude > lanes->largest[j] ? magnitude : lanes->largest[j];
    }
}

/* Non-finite elements and the largest finite magnitude of a tile. */
static void NAME(scan)(const REAL *tile, size_t n, struct gram_sums *sums)
{
    struct NAME(scan_lanes) lanes = {{0}, {0}};
    size_t whole = n / GRAM_WIDTH * GRAM_WIDTH;
    for (size_t i = 0; i < whole; i += GRAM_WIDTH)
        NAME(scan_group)(&lanes, tile + i, GRAM_WIDTH);
    NAME(scan_group)(&lanes, tile + whole, n - whole);
    for (size_t j = 0; j < GRAM_WIDTH; j++) {
        sums->nonfinite += lanes.bad[j];
        sums->max_abs = fmax(sums->max_abs, (double)lanes.largest[j]);
    }
}

/* The sum of a^2 and, with the reference b, of (a - b)^2. */
static double NAME(square_sum)(const REAL *a, const REAL *b, size_t n)
{
    double lane[GRAM_WIDTH] = {0};
    size_t i = 0;
    for (; i + GRAM_WIDTH <= n; i += GRAM_WIDTH) {
        for (size_t j = 0; j < GRAM_WIDTH; j++) {
            double d = (double)a[i + j] - (b ? (double)b[i + j] : 0);
            lane[j] += d * d;
        }
    }
    double sum = 0;
    for (; i < n; i++) {
        double d = (double)a[i] - (b ? (double)b[i] : 0);
        sum += d * d;
    }
    for (size_t j = 0; j < GRAM_WIDTH; j++)
        sum += lane[j];
    return sum;
}

/* The sum of squared spacings of a narrow type at the values of a tile that was scaled. */
static double NAME(ulp_square_sum)(const REAL *tile, size_t n, enum dtype dtype, double scale)
{
    if (!dtype_is_narrow(dtype))
        return 0;
    float least = (float)(ldexp(1, dtype_exponent_min(dtype)) * scale);
    double sum = 0;
    for (size_t i = 0; i < n; i += CONVERT_RUN) {
        size_t count = n - i < CONVERT_RUN ? n - i : CONVERT_RUN;
        double part = 0;
        for (size_t j = 0; j < count; j++) {
            float power = float_of_bits(bits_of_float((float)tile[i + j]) & 0x7f800000u);
            double spacing = (double)(power > least ? power : least);
            part += spacing * spacing;
        }
        sum += part;
    }
    return ldexp(sum, -2 * dtype_mantissa_bits(dtype));
}

/* Scales a tile of `count` rows and adds what the first pass measures. */
static void NAME(measure)(
    const struct gram_pass *pass, const struct NAME(gram_work) * work, size_t begin, size_t count)
{
    size_t n = count * pass->w->cols;
    struct gram_sums *sums = pass->sums;
    NAME(scan)(work->tile, n, sums);
    NAME(scale_tile)(work->tile, n, pass->scale);
    sums->square += NAME(square_sum)(work->tile, NULL, n);
    sums->ulp_square += NAME(ulp_square_sum)(work->tile, n, pass->w->dtype, pass->scale);
    for (size_t i = 0; i < GRAM_REFERENCES; i++) {
        const struct matrix_view *reference = pass->reference[i];
        if (!reference)
            continue;
        NAME(tile_load)(reference, begin, count, work->reference);
        NAME(scale_tile)(work->reference, n, pass->scale);
        sums->reference[i].square += NAME(square_sum)(work->reference, NULL, n);
        sums->reference[i].difference += NAME(square_sum)(work->tile, work->reference, n);
        sums->reference[i].ulp_square +=
            NAME(ulp_square_sum)(work->reference, n, reference->dtype, pass->scale);
    }
}

/* y = tile v, for rows padded to ROW_GROUP. */
static void NAME(project)(const struct NAME(gram_work) * work, size_t rows, size_t cols)
{
    memset(work->y, 0, rows * GRAM_WIDTH * sizeof(*work->y));
    for (size_t c0 = 0; c0 < cols; c0 += COL_CHUNK) {
        size_t c1 = cols - c0 < COL_CHUNK ? cols : c0 + COL_CHUNK;
        for (size_t r = 0; r < rows; r += ROW_GROUP) {
            const REAL *row = work->tile + r * cols;
            NAME(lanes) sum[ROW_GROUP] = {{0}};
            for (size_t c = c0; c < c1; c++) {
                NAME(lanes) v = work->v[c];
                sum[0] += row[c] * v;
                sum[1] += row[cols + c] * v;
                sum[2] += row[2 * cols + c] * v;
                sum[3] += row[3 * cols + c] * v;
            }
            for (size_t i = 0; i < ROW_GROUP; i++)
                for (size_t j = 0; j < GRAM_WIDTH; j++)
                    work->y[(r + i) * GRAM_WIDTH + j] += (double)sum[i][j];
        }
    }
}

/* z_sum += tile^T y. */
static void NAME(project_back)(const struct NAME(gram_work) * work, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r += ROW_GROUP) {
        const REAL *row = work->tile + r * cols;
        NAME(lanes) y[ROW_GROUP];
        for (size_t i = 0; i < ROW_GROUP; i++)
            for (size_t j = 0; j < GRAM_WIDTH; j++)
                y[i][j] = (REAL)work->y[(r + i) * GRAM_WIDTH + j];
        for (size_t c = 0; c < cols; c++) {
            NAME(lanes) sum = row[c] * y[0] + row[cols + c] * y[1];
            sum += row[2 * cols + c] * y[2] + row[3 * cols + c] * y[3];
            work->z_sum[c] += sum;
        }
    }
}

static void NAME(flush)(const struct NAME(gram_work) * work, size_t cols)
{
    for (size_t c = 0; c < cols; c++)
        for (size_t j = 0; j < GRAM_WIDTH; j++)
            work->z[c * GRAM_WIDTH + j] += (double)work->z_sum[c][j];
    memset(work->z_sum, 0, cols * sizeof(*work->z_sum));
}

void NAME(gram_pass)(const struct gram_pass *pass)
{
    size_t rows = pass->w->rows, cols = pass->w->cols;
    struct NAME(gram_work) work = NAME(carve)(pass);
    memset(work.z, 0, cols * GRAM_WIDTH * sizeof(*work.z));
    memset(work.z_sum, 0, cols * sizeof(*work.z_sum));
    memset(work.v, 0, cols * sizeof(*work.v));
    for (size_t j = 0; j < pass->width; j++)
        for (size_t c = 0; c < cols; c++)
            work.v[c][j] = (REAL)pass->in[j * cols + c];

    size_t unflushed = 0;
    for (size_t begin = 0; begin < rows; begin += work.tile_rows) {
        size_t count = rows - begin < work.tile_rows ? rows - begin : work.tile_rows;
        size_t padded = round_up(count, ROW_GROUP);
        NAME(tile_load)(pass->w, begin, count, work.tile);
        memset(work.tile + count * cols, 0, (padded - count) * cols * sizeof(*work.tile));
        if (pass->sums)
            NAME(measure)(pass, &work, begin, count);
        else
            NAME(scale_tile)(work.tile, count * cols, pass->scale);
        NAME(project)(&work, padded, cols);
        NAME(project_back)(&work, padded, cols);
        unflushed += count;
        if (unflushed >= FLUSH_ROWS || begin + count == rows) {
            NAME(flush)(&work, cols);
            unflushed = 0;
        }
    }
    for (size_t j = 0; j < pass->width; j++)
        for (size_t c = 0; c < cols; c++)
            pass->out[j * cols + c] = work.z[c * GRAM_WIDTH + j];
}
