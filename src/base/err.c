#include "base/err.h"

#include "base/check.h"

static const char *const texts[ERR_COUNT] = {
#define X(name, text) [name] = text,
    ERR_TABLE(X)
#undef X
};

const char *err_text(enum err err)
{
    check((unsigned)err < ERR_COUNT);
    return texts[err];
}
