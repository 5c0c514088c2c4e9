/* Rows of any view as dense tiles of REAL, and the scan for what is not finite. Included once for
 * float and once for double. */

#define TURN_COLS 16 /* columns turned at once when a view is stored by columns */
#define TURN_ROWS 256

/* A view stored by columns: runs down TURN_COLS columns are converted, then turned into rows. */
static void NAME(load_turned)(
    const struct matrix_view *view, size_t begin, size_t count, REAL *tile)
{
    REAL run[TURN_COLS][TURN_ROWS];
    for (size_t r0 = 0; r0 < count; r0 += TURN_ROWS) {
        size_t rows = count - r0 < TURN_ROWS ? count - r0 : TURN_ROWS;
        for (size_t c0 = 0; c0 < view->cols; c0 += TURN_COLS) {
            size_t cols = view->cols - c0 < TURN_COLS ? view->cols - c0 : TURN_COLS;
            for (size_t c = 0; c < cols; c++)
                NAME(convert)(view->dtype, matrix_view_at(view, begin + r0, c0 + c), rows, run[c]);
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
