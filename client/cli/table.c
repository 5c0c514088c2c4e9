/* Tables on a terminal. */
#include "client/cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/cli/text.h"

struct cell {
    char *text;
    int width;
    const char *sgr; /* NULL: none */
};

struct table {
    const struct table_column *columns;
    size_t column_count;
    struct cell *cells;
    size_t count, room;
};

static void *grow_cells(void *memory, size_t size)
{
    void *grown = realloc(memory, size);
    if (!grown) {
        fputs("foreshock: out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    return grown;
}

struct table *table_new(const struct table_column *columns, size_t count)
{
    struct table *table = grow_cells(NULL, sizeof *table);
    *table = (struct table){.columns = columns, .column_count = count};
    return table;
}

void table_free(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i].text);
    free(table->cells);
    free(table);
}

void table_add(struct table *table, const char *text)
{
    if (table->count == table->room) {
        table->room = table->room ? 2 * table->room : 64;
        table->cells = grow_cells(table->cells, table->room * sizeof *table->cells);
    }
    struct cell *cell = &table->cells[table->count++];
    cell->sgr = NULL;
    cell->text = text_clean(text && text[0] ? text : "-", &cell->width);
}

void table_addf(struct table *table, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    table_add(table, text);
}

void table_colour(struct table *table, const char *sgr)
{
    table->cells[table->count - 1].sgr = sgr;
}

static void print_row(
    const struct table *table, const struct cell *row, const int *widths, bool coloured)
{
    for (size_t c = 0; c < table->column_count; c++) {
        int pad = widths[c] - row[c].width;
        bool last = c + 1 == table->column_count, right = table->columns[c].align == TABLE_RIGHT;
        const char *sgr = coloured ? row[c].sgr : NULL;
        if (sgr)
            printf("\033[%sm", sgr);
        printf("%*s%s", right ? pad : 0, "", row[c].text);
        if (sgr)
            fputs("\033[0m", stdout);
        if (!last)
            printf("%*s", (right ? 0 : pad) + 2, "");
    }
    putchar('\n');
}

void table_print(const struct table *table, const char *empty)
{
    int widths[TABLE_COLUMNS_MAX] = {0};
    struct cell titles[TABLE_COLUMNS_MAX] = {0};
    const struct cell *end;
    bool coloured = text_coloured();

    if (table->count == 0) {
        puts(empty);
        return;
    }
    end = table->cells + table->count;
    for (size_t c = 0; c < table->column_count; c++) {
        titles[c].text = text_clean(table->columns[c].title, &titles[c].width);
        titles[c].sgr = "1";
        widths[c] = titles[c].width;
    }
    for (const struct cell *row = table->cells; row < end; row += table->column_count)
        for (size_t c = 0; c < table->column_count; c++)
            widths[c] = row[c].width > widths[c] ? row[c].width : widths[c];
    print_row(table, titles, widths, coloured);
    for (const struct cell *row = table->cells; row < end; row += table->column_count)
        print_row(table, row, widths, coloured);
    for (size_t c = 0; c < table->column_count; c++)
        free(titles[c].text);
}
