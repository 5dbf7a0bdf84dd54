/* Names of this program's own functions, static ones too, from the symbol table in its file (ELF, .symtab): what a crash report
 * says of an address. The names that a loader exports (-rdynamic) would be fewer, and keep the linker from optimising.
 *
 * Async-signal-safe: system calls only, no allocation. */
#ifndef PANDO_IO_SYMBOLS_H
#define PANDO_IO_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbols {
    const void *file; /* the program's file in memory, read-only */
    size_t bytes;
    size_t table_at, count; /* Elf64_Sym */
    size_t names_at, names_bytes;
    uintptr_t base; /* address of what the file calls 0 */
};

/* False where the file cannot be read or has no table (stripped). It is unmapped when the process ends. */
bool symbols_open(struct symbols *symbols);

/* The function that holds the address, and how far behind its begin that is; NULL for none. */
const char *symbols_name(const struct symbols *symbols, const void *address, size_t *offset);

#endif
