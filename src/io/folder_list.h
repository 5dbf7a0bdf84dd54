/* The files of a folder whose names begin and end in a certain way. */
#ifndef PANDO_IO_FOLDER_LIST_H
#define PANDO_IO_FOLDER_LIST_H

/* Calls visit(context, "folder/name") for each, in the order of their names, which were read before
 * the first call: visit may remove files. 0, or -errno (-ENOENT: no such folder). */
int folder_each(const char *folder, const char *prefix, const char *suffix,
                void (*visit)(void *context, const char *path), void *context);

#endif
