#include "io/symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern const char __ehdr_start[] __attribute__((visibility("hidden"))); /* made by the linker */

/* `bytes` at an offset of the file, NULL where they are not all in it. */
static const void *part(const struct symbols *symbols, uint64_t at, uint64_t bytes)
{
    if (at > symbols->bytes || bytes > symbols->bytes - at) return NULL;
    return (const char *)symbols->file + at;
}

static bool find_table(struct symbols *symbols)
{
    const Elf64_Ehdr *head = part(symbols, 0, sizeof *head);

    if (head == NULL || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
        head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_shentsize != sizeof(Elf64_Shdr))
        return false;
    const Elf64_Shdr *sections =
        part(symbols, head->e_shoff, (uint64_t)head->e_shnum * sizeof *sections);
    const Elf64_Phdr *segments =
        part(symbols, head->e_phoff, (uint64_t)head->e_phnum * sizeof *segments);
    if (sections == NULL || segments == NULL) return false;

    symbols->base = (uintptr_t)__ehdr_start;
    for (int i = 0; i < head->e_phnum; i++)
        if (segments[i].p_type == PT_LOAD && segments[i].p_offset == 0)
            symbols->base -= segments[i].p_vaddr;
    for (int i = 0; i < head->e_shnum; i++) {
        const Elf64_Shdr *table = &sections[i];
        if (table->sh_type != SHT_SYMTAB || table->sh_link >= head->e_shnum) continue;
        const Elf64_Shdr *names = &sections[table->sh_link];
        if (part(symbols, table->sh_offset, table->sh_size) == NULL ||
            part(symbols, names->sh_offset, names->sh_size) == NULL)
            return false;
        symbols->table_at = table->sh_offset;
        symbols->count = table->sh_size / sizeof(Elf64_Sym);
        symbols->names_at = names->sh_offset;
        symbols->names_bytes = names->sh_size;
        return true;
    }
    return false;
}

bool symbols_open(struct symbols *symbols)
{
    struct stat stat;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    *symbols = (struct symbols){0};
    if (fd < 0) return false;
    if (fstat(fd, &stat) == 0 && stat.st_size > 0) {
        void *file = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (file != MAP_FAILED) {
            symbols->file = file;
            symbols->bytes = (size_t)stat.st_size;
        }
    }
    close(fd);
    return symbols->file != NULL && find_table(symbols);
}

const char *symbols_name(const struct symbols *symbols, const void *address, size_t *offset)
{
    const Elf64_Sym *table = (const Elf64_Sym *)((const char *)symbols->file + symbols->table_at);
    uintptr_t at = (uintptr_t)address - symbols->base;

    for (size_t i = 0; i < symbols->count; i++) {
        const Elf64_Sym *symbol = &table[i];
        if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF) continue;
        if (at < symbol->st_value || at - symbol->st_value >= symbol->st_size) continue;
        const char *names = (const char *)symbols->file + symbols->names_at;
        if (symbol->st_name >= symbols->names_bytes ||
            memchr(names + symbol->st_name, 0, symbols->names_bytes - symbol->st_name) == NULL)
            return NULL;
        *offset = at - symbol->st_value;
        return names + symbol->st_name;
    }
    return NULL;
}
