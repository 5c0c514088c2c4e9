/* A table for people: cells are cleaned, columns aligned by what a terminal shows. */
#ifndef FORESHOCK_CLIENT_CLI_TABLE_H
#define FORESHOCK_CLIENT_CLI_TABLE_H

#include <stddef.h>

#define TABLE_COLUMNS_MAX 12

enum table_align { TABLE_LEFT, TABLE_RIGHT };

struct table_column {
    const char *title;
    enum table_align align;
};

struct table;

/* `columns` (at most TABLE_COLUMNS_MAX) must outlive the table. Ends the process when memory is
 * short. */
struct table *table_new(const struct table_column *columns, size_t count);
void table_free(struct table *table);

/* The next cell of the current row; a row that is full begins the next. NULL shows as "-". */
void table_add(struct table *table, const char *text);
__attribute__((format(printf, 2, 3))) void table_addf(struct table *table, const char *format, ...);

/* Colour of the cell added last: an SGR code such as "31"; used only where stdout takes colours. */
void table_colour(struct table *table, const char *sgr);

/* To stdout, titles first; `empty` instead where there is no row. */
void table_print(const struct table *table, const char *empty);

#endif
