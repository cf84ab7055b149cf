/* Old builds of OpenBLAS take a processor that is newer than they are for one of the time before
 * AVX: Debian 12's multiplies at a sixth of the machine's rate then. It reads what it should take
 * it for from the environment, once, when it is loaded; so we say it there and begin again. */
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

extern char *openblas_get_corename(void) __attribute__((weak)); /* other BLAS have none */

#if defined(__x86_64__)
static bool is_old(const char *core)
{
    static const char *const old[] = {
        "Prescott",     "Core2",     "Penryn", "Dunnington", "Nehalem", "Athlon", "Opteron",
        "Opteron_SSE3", "Barcelona", "Bobcat", "Atom",       "Nano",    "generic"};
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        if (strcmp(core, old[i]) == 0) return true;
    return false;
}

/* NULL: what is chosen without us fits. */
static const char *better_core(void)
{
    if (!openblas_get_corename || !is_old(openblas_get_corename())) return NULL;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return "SKYLAKEX";
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? "HASWELL" : NULL;
}
#else
static const char *better_core(void)
{
    return NULL;
}
#endif

void rp_cli_fit_blas(char **argv)
{
    const char *core = getenv("OPENBLAS_CORETYPE") ? NULL : better_core();
    char path[PATH_MAX];
    /* by its own path: as /proc/self/exe it would be called "exe" by ps and pkill */
    ssize_t n = core ? readlink("/proc/self/exe", path, sizeof path - 1) : -1;
    if (n < 0 || setenv("OPENBLAS_CORETYPE", core, 1) != 0) return;
    path[n] = '\0';
    execv(path, argv);
    /* where that fails it is only slower */
}
