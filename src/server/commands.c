/* The one object that knows every handler: the tables that tools/commands.py makes of
 * src/cmd/x.def. */
#include "cmd/command.h"
#include "handlers.h"

#include "commands.inc"
