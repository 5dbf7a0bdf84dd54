#include "base/check.h"

#include "base/log.h"
#include <stdlib.h>

void check_failed(const char *fact, const char *file, int line)
{
    log_warning("Assertion failed: %s (%s:%d)", fact, file, line);
    abort();
}
