/* Fuzzes the configuration file: any bytes give values within their bounds or an error that names
 * the file, and nothing is lost. */
#include "daemon/config/yaml.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config;
    struct error error;
    if (config_default(&config, &error) == 0) {
        int rc = config_load_text(&config, (const char *)data, size, "fuzz.yaml", &error);
        if (rc != 0 && (rc != -1 || strncmp(error.text, "fuzz.yaml:", 10) != 0))
            abort();
        if (config.limits.runs < 1 || config.limits.runs > 100000 || config.workers > 64)
            abort();
        if (config.ingest.endpoints.count > CONFIG_ENDPOINTS_MAX ||
            config.rules.override_count > RULE_OVERRIDES_MAX)
            abort();
    }
    config_free(&config);
    return 0;
}
