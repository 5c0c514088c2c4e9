/* An alert's value as the texts of its row: the one place where its layers and evidence become JSON.
 * Any thread. */
#ifndef FORESHOCK_STORE_ALERT_ROW_H
#define FORESHOCK_STORE_ALERT_ROW_H

#include "daemon/store/store.h"

struct alert_row_json {
    char *layers, *evidence; /* JSON arrays */
};

/* 0, or -1 when memory is short; free it after both. */
int alert_row_json_make(struct alert_row_json *json, const struct alert_record *record);
void alert_row_json_free(struct alert_row_json *json);

/* The row, not yet recorded. Valid as long as the record and the JSON are. */
struct store_alert alert_row(const struct alert_record *record, const struct alert_row_json *json);

#endif
