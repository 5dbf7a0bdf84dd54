/* Configuration texts. Whatever the bytes are: loading ends with CONFIG_OK or with a block that names a line; bounds hold;
 * and a configuration that was accepted, written out and loaded again, shows the same values. */
#include "base/check.h"
#include "base/log.h"
#include "server/config_kind.h"

static void check_bounds(const struct config *config)
{
    for (int i = 0; i < config_directive_count; i++) {
        const struct directive *directive = &config_directives[i];
        const int64_t *value = directive_field(directive, config);

        if (directive->kind == &integer_kind)
            check(*value >= directive->least && *value <= directive->most);
    }
}

static void check_written(const struct config *config)
{
    struct config *again = config_new();
    struct buf lines = {0}, error = {0};

    for (int i = 0; i < config_directive_count; i++)
        config_write(config, &config_directives[i], &lines);
    check(config_load_text(again, buf_span(&lines), NULL, CONFIG_LOAD_DRY, &error) == CONFIG_OK);
    for (int i = 0; i < config_directive_count; i++)
        check(!config_differs(config, again, &config_directives[i]));
    buf_release(&lines);
    buf_release(&error);
    config_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = config_new();
    struct buf error = {0};
    enum config_result result = config_load_text(config, span_of(data, size), NULL,
                                                 CONFIG_LOAD_DRY | CONFIG_LOAD_NO_INCLUDES, &error);

    check((result == CONFIG_OK) == (error.len == 0));
    if (result == CONFIG_OK) {
        check_bounds(config);
        check_written(config);
    }
    buf_release(&error);
    config_free(config);
    return 0;
}
