/* Preloaded into SyncEvolution, whose HTTP transport dies on its first POST as Debian 12 builds it.

   It hands objects of its own to curl_easy_setopt where curl wants plain functions for the body to
   send and the body received. The members that these objects stand for are exported, so curl gets
   functions from here that call them. In a build without those members nothing is changed. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stddef.h>

enum { WRITEFUNCTION = 20011, READFUNCTION = 20012 }; /* curl.h */

typedef size_t member(void *agent, void *bytes, size_t length);
typedef int setopt(void *handle, int option, ...);

static member *take, *give; /* an answer's bytes; a request's bytes */

static size_t on_write(void *bytes, size_t size, size_t count, void *agent)
{
    return take(agent, bytes, size * count);
}

static size_t on_read(void *bytes, size_t size, size_t count, void *agent)
{
    return give(agent, bytes, size * count);
}

int curl_easy_setopt(void *handle, int option, ...)
{
    setopt *original = (setopt *)dlsym(RTLD_NEXT, "curl_easy_setopt");
    va_list rest;
    va_start(rest, option);
    void *value = va_arg(rest, void *);
    va_end(rest);

    take = (member *)dlsym(RTLD_DEFAULT, "_ZN7SyncEvo18CurlTransportAgent9writeDataEPvm");
    give = (member *)dlsym(RTLD_DEFAULT, "_ZN7SyncEvo18CurlTransportAgent8readDataEPvm");
    if (option == WRITEFUNCTION && take)
        value = (void *)on_write;
    if (option == READFUNCTION && give)
        value = (void *)on_read;
    return original(handle, option, value);
}
