/* Strided views of matrices that somebody else owns, and stacks of such views.
 *
 * A view never copies: it lives no longer than its buffer. Buffers may be unaligned. Thread-safe:
 * no state. */
#ifndef FORESHOCK_ANALYSIS_MATRIX_H
#define FORESHOCK_ANALYSIS_MATRIX_H

#include <stddef.h>

#include "daemon/analysis/dtype.h"

/* A matrix of rows x cols; element (r, c) lies at data + (r * row_stride + c * col_stride) *
 * dtype_size(dtype). */
struct matrix_view {
    const void *data;
    enum dtype dtype;
    size_t rows;
    size_t cols;
    ptrdiff_t row_stride; /* in elements */
    ptrdiff_t col_stride; /* in elements */
};

/* A row-major buffer of [rows, cols]. */
struct matrix_view matrix_view_rows(const void *data, enum dtype dtype, size_t rows, size_t cols);

/* A row-major buffer of [cols, rows] seen as the [rows, cols] matrix that it is the transpose of.
 */
struct matrix_view matrix_view_transposed(
    const void *data, enum dtype dtype, size_t rows, size_t cols);

/* Rows [begin, end) of a view; begin <= end <= view->rows. */
struct matrix_view matrix_view_slice(const struct matrix_view *view, size_t begin, size_t end);

/* The same elements with rows and columns exchanged. */
struct matrix_view matrix_view_turned(const struct matrix_view *view);

/* Views of one dtype stacked by rows: row shards form one matrix where they lie. It borrows the
 * array of its parts as well as their buffers. */
struct matrix {
    enum dtype dtype;
    size_t rows; /* of all parts together */
    size_t cols;
    const struct matrix_view *part; /* in the order of the rows; each has a row or more */
    size_t count;
};

/* A matrix of one part, which it borrows. */
struct matrix matrix_of(const struct matrix_view *view);

/* A matrix of `count` parts, at least one. Returns 0, or -1: they differ in dtype or columns, one
 * is empty, or their rows overflow. */
int matrix_stack(const struct matrix_view *part, size_t count, struct matrix *matrix);

/* The rows of a matrix that begin with `row` and lie in one part: at least one, up to the end of
 * that part. row < matrix->rows. */
struct matrix_view matrix_from(const struct matrix *matrix, size_t row);

/* Element (row, col) of a view. */
const unsigned char *matrix_view_at(const struct matrix_view *view, size_t row, size_t col);

#endif
