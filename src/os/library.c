#include "os/library.h"

#include <dlfcn.h>
#include <string.h>

bool library_open(const char *file, const struct library_symbol *symbols, int32_t len, void *table) {
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!library) return false;
    for (int32_t i = 0; i < len; i++) {
        void *address = dlsym(library, symbols[i].name);
        if (!address) return false;
        /* By memcpy: C has no conversion from a pointer to an object into one to a function. */
        memcpy((char *)table + symbols[i].offset, &address, sizeof address);
    }
    return true;
}
