#include "repl/config.h"

#include <string.h>

void repl_config_defaults(struct repl_config *config)
{
    memset(config, 0, sizeof(*config));
    config->timeout_ms = 60 * 1000;
    config->ping_period_ms = 10 * 1000;
    config->diskless = true;
    config->diskless_delay_ms = 5 * 1000;
    config->backlog_ttl_ms = 3600 * 1000;
    config->min_replicas_max_lag_ms = 10 * 1000;
    config->listening_port = 6379;
    config->snapshots_max = 4;
}
