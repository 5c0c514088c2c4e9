/* Strided views and stacks of them. */
#include "daemon/analysis/matrix.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

struct matrix_view matrix_view_rows(const void *data, enum dtype dtype, size_t rows, size_t cols)
{
    return (struct matrix_view){data, dtype, rows, cols, (ptrdiff_t)cols, 1};
}

struct matrix_view matrix_view_transposed(
    const void *data, enum dtype dtype, size_t rows, size_t cols)
{
    return (struct matrix_view){data, dtype, rows, cols, 1, (ptrdiff_t)rows};
}

struct matrix_view matrix_view_slice(const struct matrix_view *view, size_t begin, size_t end)
{
    assert(begin <= end && end <= view->rows);
    struct matrix_view slice = *view;
    slice.data = matrix_view_at(view, begin, 0);
    slice.rows = end - begin;
    return slice;
}

struct matrix_view matrix_view_turned(const struct matrix_view *view)
{
    return (struct matrix_view){
        view->data, view->dtype, view->cols, view->rows, view->col_stride, view->row_stride};
}

const unsigned char *matrix_view_at(const struct matrix_view *view, size_t row, size_t col)
{
    ptrdiff_t elements = (ptrdiff_t)row * view->row_stride + (ptrdiff_t)col * view->col_stride;
    return (const unsigned char *)view->data + elements * (ptrdiff_t)dtype_size(view->dtype);
}

struct matrix matrix_of(const struct matrix_view *view)
{
    return (struct matrix){view->dtype, view->rows, view->cols, view, 1};
}

int matrix_stack(const struct matrix_view *part, size_t count, struct matrix *matrix)
{
    struct matrix stack = {part[0].dtype, 0, part[0].cols, part, count};
    for (size_t i = 0; i < count; i++) {
        if (part[i].dtype != stack.dtype || part[i].cols != stack.cols || part[i].rows == 0 ||
            part[i].rows > SIZE_MAX - stack.rows)
            return -1;
        stack.rows += part[i].rows;
    }
    *matrix = stack;
    return 0;
}

struct matrix_view matrix_from(const struct matrix *matrix, size_t row)
{
    assert(row < matrix->rows);
    const struct matrix_view *part = matrix->part;
    for (; row >= part->rows; part++)
        row -= part->rows;
    return matrix_view_slice(part, row, part->rows);
}
