/* Where a pass finds its rows: tiles of W and of its references, read where they lie or copied as REAL.
 * Included once for float and once for double. */

/* Rows at one distance whose elements lie together. */
struct NAME(source) {
    const unsigned char *data; /* NULL: there is none */
    ptrdiff_t stride;          /* bytes */
    enum dtype dtype;
};

INLINE const unsigned char *NAME(row)(const struct NAME(source) * source, size_t row)
{
    return source->data + (ptrdiff_t)row * source->stride;
}

/* A few rows of W, its references, and W as REAL where a reference has another dtype. */
struct NAME(tile) {
    size_t rows;
    struct NAME(source) w;
    struct NAME(source) reference[GRAM_REFERENCES];
    struct NAME(source) wide;
};

/* Dense buffers of a tile's rows, for what is not read where it lies. */
struct NAME(copies) {
    bool w_in_place; /* all parts of W are read where they lie, else none: one order of columns */
    REAL *w;
    REAL *reference[GRAM_REFERENCES];
};

INLINE bool NAME(serves_as_it_is)(const struct gram_pass *pass, const struct matrix_view *view)
{
    return pass->scale == 1 && view->col_stride == 1 && NAME(is_native)(view->dtype);
}

#ifndef ULP_LANES
#define ULP_LANES 16
#endif

/* The sum of squared spacings of a narrow type at the values of a dense tile that was scaled. */
static double NAME(ulp_square_sum)(const REAL *tile, size_t n, enum dtype dtype, double scale)
{
    if (!dtype_is_narrow(dtype))
        return 0;
    float least = (float)(ldexp(1, dtype_exponent_min(dtype)) * scale);
    double lane[ULP_LANES] = {0}, sum = 0;
    for (size_t i = 0; i < n; i += ULP_LANES) {
        size_t count = n - i < ULP_LANES ? n - i : ULP_LANES;
        float power[ULP_LANES] = {0};
        for (size_t j = 0; j < count; j++) {
            power[j] = float_of_bits(bits_of_float((float)tile[i + j]) & 0x7f800000u);
            power[j] = power[j] > least ? power[j] : least;
        }
        for (size_t j = 0; j < ULP_LANES; j++)
            lane[j] += (double)power[j] * (double)power[j];
    }
    for (size_t j = 0; j < ULP_LANES; j++)
        sum += lane[j];
    return ldexp(sum, -2 * dtype_mantissa_bits(dtype));
}

/* The first `rows` rows of a view as REAL, scaled, in `dense`. */
static struct NAME(source) NAME(copy_rows)(const struct gram_pass *pass,
    const struct matrix_view *view, size_t rows, REAL *dense, double *ulp_square)
{
    size_t n = rows * view->cols;
    REAL scale = (REAL)pass->scale;
    NAME(tile_load)(view, 0, rows, dense);
    for (size_t i = 0; pass->scale != 1 && i < n; i++)
        dense[i] *= scale;
    if (ulp_square)
        *ulp_square += NAME(ulp_square_sum)(dense, n, view->dtype, pass->scale);
    return (struct NAME(source)){
        (const unsigned char *)dense, (ptrdiff_t)(view->cols * sizeof(REAL)), REAL_DTYPE};
}

INLINE struct NAME(source) NAME(in_place)(const struct matrix_view *view)
{
    ptrdiff_t stride = view->row_stride * (ptrdiff_t)dtype_size(view->dtype);
    return (struct NAME(source)){view->data, stride, view->dtype};
}

/* The rows of a reference: where they lie if the loops can read them there. */
static struct NAME(source) NAME(open_reference)(const struct gram_pass *pass,
    const struct matrix_view *view, size_t rows, REAL *dense, double *ulp_square)
{
    return NAME(serves_as_it_is)(pass, view) ? NAME(in_place)(view)
                                             : NAME(copy_rows)(pass, view, rows, dense, ulp_square);
}

/* A reference of another dtype than W: both are read as REAL. */
static void NAME(widen)(const struct gram_pass *pass, const struct matrix_view *w,
    const struct matrix_view *reference, size_t i, const struct NAME(copies) * copies,
    struct NAME(tile) * tile)
{
    if (tile->reference[i].dtype != REAL_DTYPE)
        tile->reference[i] = NAME(copy_rows)(pass, reference, tile->rows, copies->reference[i],
            pass->reference_known[i] ? NULL : &pass->sums->reference[i].ulp_square);
    tile->wide = tile->w.dtype == REAL_DTYPE
                     ? tile->w
                     : NAME(copy_rows)(pass, w, tile->rows, copies->w, NULL);
}

/* The tile that begins at `row`: `rows` rows, or up to where any of the matrices changes its part. */
static struct NAME(tile) NAME(open_tile)(
    const struct gram_pass *pass, size_t row, size_t rows, const struct NAME(copies) * copies)
{
    struct gram_sums *sums = pass->sums;
    struct matrix_view w = matrix_from(pass->w, row), reference[GRAM_REFERENCES];
    struct NAME(tile) tile = {.rows = w.rows < rows ? w.rows : rows};
    for (size_t i = 0; sums && i < GRAM_REFERENCES; i++) {
        reference[i].data = NULL;
        if (!pass->reference[i])
            continue;
        reference[i] = matrix_from(pass->reference[i], row);
        tile.rows = reference[i].rows < tile.rows ? reference[i].rows : tile.rows;
    }
    double *ulp_square = sums ? &sums->ulp_square : NULL;
    tile.w = copies->w_in_place ? NAME(in_place)(&w)
                                : NAME(copy_rows)(pass, &w, tile.rows, copies->w, ulp_square);
    for (size_t i = 0; sums && i < GRAM_REFERENCES; i++) {
        if (!reference[i].data)
            continue;
        tile.reference[i] = NAME(open_reference)(pass, &reference[i], tile.rows,
            copies->reference[i], pass->reference_known[i] ? NULL : &sums->reference[i].ulp_square);
        if (tile.reference[i].dtype != tile.w.dtype)
            NAME(widen)(pass, &w, &reference[i], i, copies, &tile);
    }
    return tile;
}
