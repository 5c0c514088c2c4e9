/* Fuzzes the tracked block that a restarted daemon reads back: any bytes are taken in or refused with a
 * reason, and the tracker works on in either case. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/analysis/spectrum.h"
#include "daemon/analysis/spectrum_export.h"

#define ROWS 6
#define COLS 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const float identity[ROWS * COLS] = {1, 0, 0, 0, 0, 0, 0.5f};
    struct matrix_view w = matrix_view_rows(identity, DTYPE_F32, ROWS, COLS);
    struct spectrum *spectrum = spectrum_new(ROWS, COLS, &(struct spectrum_options){.seed = 1});
    struct spectrum_result result;
    struct error error = {""};

    if (!spectrum)
        return 0;
    if (spectrum_import(spectrum, data, size, false, &error) != 0 && error.text[0] == '\0')
        abort();
    struct matrix matrix = matrix_of(&w);
    if (spectrum_update(spectrum, &matrix, NULL, NULL, NULL, &result) != 0)
        abort();
    if (!(result.sigma1 > 0.999 && result.sigma1 < 1.001))
        abort();
    unsigned char *bytes = malloc(spectrum_export_size(spectrum));
    if (bytes) {
        spectrum_export(spectrum, bytes);
        if (spectrum_import(spectrum, bytes, spectrum_export_size(spectrum), false, &error) != 0)
            abort();
    }
    free(bytes);
    spectrum_free(spectrum);
    return 0;
}
