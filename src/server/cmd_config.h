/* What the handlers of CONFIG ask of the server that executes a call. */
#ifndef PANDO_SERVER_CMD_CONFIG_H
#define PANDO_SERVER_CMD_CONFIG_H

#include "cmd/call.h"
#include "server/config.h"

struct config *call_config(const struct call *call);
struct config_caller call_config_caller(const struct call *call);
/* Sets what INFO counts back to zero. */
void call_reset_statistics(struct call *call);

#endif
