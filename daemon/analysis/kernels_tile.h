/* Rows of any view as dense tiles of REAL. Included once for float and once for double. */

#ifndef TURN_ROWS
#define TURN_ROWS 128 /* rows that are turned at once when a view is stored by columns */
#endif

#if VECTOR_BYTES / REAL_BYTES == 16
#define FIRST_HALVES  0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define SECOND_HALVES 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif VECTOR_BYTES / REAL_BYTES == 8
#define FIRST_HALVES  0, 8, 1, 9, 2, 10, 3, 11
#define SECOND_HALVES 4, 12, 5, 13, 6, 14, 7, 15
#elif VECTOR_BYTES / REAL_BYTES == 4
#define FIRST_HALVES  0, 4, 1, 5
#define SECOND_HALVES 2, 6, 3, 7
#else
#define FIRST_HALVES  0, 2
#define SECOND_HALVES 1, 3
#endif

/* Turns a block of LANES x LANES: to interleave its first half with its second turns the bits of each
 * element's place by one, and log2(LANES) times that exchanges row and column. */
INLINE void NAME(turn)(NAME(lanes) block[LANES])
{
    NAME(lanes) next[LANES];
#pragma GCC unroll 4
    for (size_t round = 1; round < LANES; round *= 2) {
#pragma GCC unroll 8
        for (size_t i = 0; i < LANES / 2; i++) {
            NAME(lanes) a = block[i], b = block[i + LANES / 2];
            next[2 * i] = __builtin_shufflevector(a, b, FIRST_HALVES);
            next[2 * i + 1] = __builtin_shufflevector(a, b, SECOND_HALVES);
        }
#pragma GCC unroll 16
        for (size_t i = 0; i < LANES; i++)
            block[i] = next[i];
    }
}

/* Rows that a block of a native type fills: bfloat16 is turned by twos, as words that are taken apart
 * afterwards. */
INLINE size_t NAME(turn_rows)(enum dtype dtype)
{
    return NAME(interleaves)(dtype) ? 2 * LANES : LANES;
}

/* Turns LANES columns at a distance of `stride` bytes into the rows of a tile, and asks for the columns
 * behind them. */
INLINE void NAME(turn_block_of)(
    enum dtype dtype, const unsigned char *at, ptrdiff_t stride, REAL *to, size_t tile_cols)
{
    NAME(lanes) block[LANES];
    const unsigned char *behind = at + (ptrdiff_t)LANES * stride;
#pragma GCC unroll 16
    for (size_t c = 0; c < LANES; c++, at += stride, behind += stride) {
        __builtin_prefetch(behind);
        block[c] = NAME(load)(NAME(interleaves)(dtype) ? REAL_DTYPE : dtype, at);
    }
    NAME(turn)(block);
#pragma GCC unroll 16
    for (size_t i = 0; i < LANES; i++, to += tile_cols) {
        NAME(bits) words = (NAME(bits))block[i];
        if (NAME(interleaves)(dtype)) {
            *(NAME(unaligned_lanes) *)to = (NAME(lanes))(words << 16);
            to += tile_cols;
            block[i] = (NAME(lanes))(words & 0xffff0000);
        }
        *(NAME(unaligned_lanes) *)to = block[i];
    }
}

#define BLOCK(dtype) NAME(turn_block_of)(dtype, at, stride, to, tile_cols)

/* On its own: within a loop, gcc spends more registers on addresses than there are. */
static __attribute__((noinline)) void NAME(turn_block)(
    enum dtype dtype, const unsigned char *at, ptrdiff_t stride, REAL *to, size_t tile_cols)
{
    NATIVE(dtype, BLOCK)
}

/* Turns up to LANES columns of up to TURN_ROWS rows. What is not native or fills no blocks is converted
 * on the way. */
static void NAME(turn_strip)(
    const struct matrix_view *view, size_t row, size_t col, size_t rows, size_t cols, REAL *to)
{
    enum dtype dtype = view->dtype;
    const unsigned char *data = matrix_view_at(view, row, col);
    ptrdiff_t stride = view->col_stride * (ptrdiff_t)dtype_size(dtype);
    bool native = NAME(is_native)(dtype), whole = cols == LANES && rows % (2 * LANES) == 0;
    REAL run[LANES][TURN_ROWS];
    if (!native || !whole) {
        for (size_t c = 0; c < cols; c++)
            NAME(convert)(dtype, data + (ptrdiff_t)c * stride, rows, run[c]);
        data = (const unsigned char *)run;
        stride = sizeof(run[0]);
        dtype = REAL_DTYPE;
    }
    size_t size = dtype_size(dtype), step = NAME(turn_rows)(dtype);
    for (size_t r = 0; whole && r < rows; r += step)
        NAME(turn_block)(dtype, data + r * size, stride, to + r * view->cols, view->cols);
    for (size_t r = 0; !whole && r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            to[r * view->cols + c] = run[c][r];
}

/* A view stored by columns. */
static void NAME(load_turned)(
    const struct matrix_view *view, size_t begin, size_t count, REAL *tile)
{
    for (size_t r = 0; r < count; r += TURN_ROWS) {
        size_t rows = count - r < TURN_ROWS ? count - r : TURN_ROWS;
        for (size_t c = 0; c < view->cols; c += LANES) {
            size_t cols = view->cols - c < LANES ? view->cols - c : LANES;
            NAME(turn_strip)(view, begin + r, c, rows, cols, tile + r * view->cols + c);
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

static void NAME(tile_load)(const struct matrix_view *view, size_t begin, size_t count, REAL *tile)
{
    if (view->row_stride == 1 && view->col_stride != 1) {
        NAME(load_turned)(view, begin, count, tile);
        return;
    }
    for (size_t r = 0; r < count; r++) {
        const unsigned char *row = matrix_view_at(view, begin + r, 0);
        if (view->col_stride == 1)
            NAME(convert)(view->dtype, row, view->cols, tile + r * view->cols);
        else
            NAME(load_strided)(view, row, tile + r * view->cols);
    }
}

#undef FIRST_HALVES
#undef SECOND_HALVES
#undef BLOCK
