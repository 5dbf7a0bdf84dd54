/* Names that clients give themselves: CLIENT SETNAME, HELLO SETNAME. */
#ifndef PANDO_SERVER_CLIENT_NAME_H
#define PANDO_SERVER_CLIENT_NAME_H

#include "server/session.h"

#define CLIENT_NAME_ERROR "ERR Client names cannot contain spaces, newlines or special characters."

bool client_name_is_valid(struct span name); /* printable, no blank; empty is valid */
void client_set_name(struct session *session, struct span name); /* empty: none */

#endif
