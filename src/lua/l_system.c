// daub.core.system: version, machine, memory, clocks, interrupts, terminal. The functions on files
// and on processes are in l_system_files.c and l_system_process.c.
#include "lua/l_system.h"

#include <cblas.h>
#include <curl/curl.h>
#include <luajit.h>
#include <math.h>
#include <openssl/crypto.h>
#include <seccomp.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <webp/decode.h>

#include "base/cpu.h"
#include "base/hash.h"
#include "base/inflate.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/pool.h"
#include "lua/lx_interrupt.h"
#include "lua/modules.h"

int lx_system_result(lua_State *L, daub_status status) {
    if (status == DAUB_INVALID) lx_check(L, status);
    if (status != DAUB_OK) return lx_fail(L, status);
    lua_pushboolean(L, 1);
    return 1;
}

static int l_version(lua_State *L) {
    lua_pushliteral(L, DAUB_VERSION);
    return 1;
}

static void set_string(lua_State *L, const char *key, const char *value) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, double value) {
    lua_pushnumber(L, value);
    lua_setfield(L, -2, key);
}

// Those without a version at run time tell the one they were compiled with.
static void push_libraries(lua_State *L) {
    int webp = WebPGetDecoderVersion();
    const struct scmp_version *seccomp = seccomp_version();
    lua_newtable(L);
    set_string(L, "luajit", LUAJIT_VERSION);
    set_string(L, "libcurl", curl_version_info(CURLVERSION_NOW)->version);
    set_string(L, "sqlite", sqlite3_libversion());
    set_string(L, "openssl", OpenSSL_version(OPENSSL_VERSION_STRING));
    set_string(L, "openblas", DAUB_OPENBLAS_VERSION);
    set_string(L, "stb", DAUB_STB_VERSION);
    set_string(L, "chafa", DAUB_CHAFA_VERSION);
    set_string(L, "libedit", DAUB_LIBEDIT_VERSION);
    set_string(L, "libexif", DAUB_LIBEXIF_VERSION);
    lua_pushfstring(L, "%d.%d.%d", webp >> 16, webp >> 8 & 255, webp & 255);
    lua_setfield(L, -2, "libwebp");
    lua_pushfstring(L, "%d.%d.%d", (int)seccomp->major, (int)seccomp->minor, (int)seccomp->micro);
    lua_setfield(L, -2, "libseccomp");
}

static int l_info(lua_State *L) {
    lua_newtable(L);
    set_string(L, "version", DAUB_VERSION);
    set_string(L, "isa", daub_isa_name(daub_cpu_isa()));
    lua_pushboolean(L, daub_cpu_bf16());
    lua_setfield(L, -2, "bf16");
    set_number(L, "threads", daub_pool_threads());
    set_number(L, "cores", daub_cpu_cores());
    const char *blas = openblas_get_config(); // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH …"
    const char *space = strchr(blas, ' ');
    size_t length = space ? strlen(blas) - strlen(space) + 1 : strlen(blas);
    if (space) length += strcspn(space + 1, " ");
    lua_pushlstring(L, blas, length);
    lua_setfield(L, -2, "blas");
    set_string(L, "blas_core", openblas_get_corename());
    push_libraries(L);
    lua_setfield(L, -2, "libraries");
    return 1;
}

static int l_threads(lua_State *L) {
    if (!lua_isnoneornil(L, 1)) {
        int64_t n = lx_check_int64(L, 1);
        luaL_argcheck(L, n >= 1 && n <= DAUB_MAX_THREADS, 1, "1 to 64 threads expected");
        daub_pool_set_threads((int)n);
    }
    lua_pushinteger(L, daub_pool_threads());
    return 1;
}

// Bytes this program had at most. getrusage counts what the process was before it became this
// program too, so it is asked only where there is no /proc.
static double peak_rss(void) {
    char line[256];
    long kilobytes = -1;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && kilobytes < 0 && fgets(line, sizeof line, status))
        if (sscanf(line, "VmHWM: %ld kB", &kilobytes) != 1) kilobytes = -1;
    if (status) fclose(status);
    if (kilobytes < 0) {
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        kilobytes = usage.ru_maxrss;
    }
    return (double)kilobytes * 1024;
}

static int l_memory(lua_State *L) {
    daub_memory_counters m = daub_memory_stats();
    lua_newtable(L);
    set_number(L, "in_use", (double)m.in_use);
    set_number(L, "cached", (double)m.cached);
    set_number(L, "peak", (double)m.peak);
    set_number(L, "system_calls", (double)m.system_calls);
    set_number(L, "peak_rss", peak_rss());
    return 1;
}

static int l_trim(lua_State *L) {
    (void)L;
    daub_memory_trim();
    return 0;
}

static double seconds_of(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int l_now(lua_State *L) {
    lua_pushnumber(L, seconds_of(CLOCK_MONOTONIC));
    return 1;
}

static int l_time(lua_State *L) {
    lua_pushnumber(L, seconds_of(CLOCK_REALTIME));
    return 1;
}

static int l_cpu_time(lua_State *L) {
    lua_pushnumber(L, seconds_of(CLOCK_PROCESS_CPUTIME_ID));
    return 1;
}

static int l_sleep(lua_State *L) {
    double until = seconds_of(CLOCK_MONOTONIC) + luaL_checknumber(L, 1);
    for (;;) {
        double left = until - seconds_of(CLOCK_MONOTONIC);
        if (daub_interrupt_pending() || !(left > 0)) break;
        nanosleep(&(struct timespec){0, (long)(fmin(left, 0.02) * 1e9)}, NULL);
    }
    lua_pushboolean(L, !daub_interrupt_pending());
    return 1;
}

static int l_interrupted(lua_State *L) {
    lua_pushboolean(L, daub_interrupt_pending());
    return 1;
}

static int l_hold_interrupts(lua_State *L) {
    luaL_checktype(L, 1, LUA_TBOOLEAN);
    int holds = lx_interrupt_holds();
    if (lua_toboolean(L, 1))
        lx_interrupt_set_holds(L, holds + 1);
    else if (holds > 0)
        lx_interrupt_set_holds(L, holds - 1);
    return 0;
}

static int l_isatty(lua_State *L) {
    lua_pushboolean(L, isatty((int)lx_check_int64(L, 1)));
    return 1;
}

static int l_terminal_size(lua_State *L) {
    struct winsize size;
    for (int fd = STDERR_FILENO; fd >= 0; fd--) {
        if (ioctl(fd, TIOCGWINSZ, &size) || !size.ws_col) continue;
        lua_pushinteger(L, size.ws_col);
        lua_pushinteger(L, size.ws_row);
        return 2;
    }
    lua_pushnil(L);
    return 1;
}

static int l_sha256(lua_State *L) {
    size_t size;
    const char *bytes = luaL_checklstring(L, 1, &size);
    char hex[DAUB_SHA256_HEX];
    lx_check(L, daub_sha256(bytes, size, hex));
    lua_pushstring(L, hex);
    return 1;
}

static int l_sha256_file(lua_State *L) {
    char hex[DAUB_SHA256_HEX];
    daub_status status = daub_sha256_file(luaL_checkstring(L, 1), hex);
    if (status != DAUB_OK) return lx_system_result(L, status);
    lua_pushstring(L, hex);
    return 1;
}

// Not even a core dump may hold a secret, wherever the system would send it.
static int l_no_dumps(lua_State *L) {
    (void)L;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
    return 0;
}

static int l_hmac_sha1(lua_State *L) {
    size_t key_size, size;
    const char *key = luaL_checklstring(L, 1, &key_size), *bytes = luaL_checklstring(L, 2, &size);
    uint8_t out[DAUB_SHA1_BYTES];
    lx_check(L, daub_hmac_sha1(key, key_size, bytes, size, out));
    lua_pushlstring(L, (char *)out, sizeof out);
    return 1;
}

static int l_base64(lua_State *L) {
    size_t size;
    const char *bytes = luaL_checklstring(L, 1, &size);
    daub_base64(bytes, size, lua_newuserdata(L, daub_base64_size(size)));
    lua_pushlstring(L, lua_touserdata(L, -1), daub_base64_size(size) - 1);
    return 1;
}

static int l_crc32(lua_State *L) {
    size_t size;
    const char *bytes = luaL_checklstring(L, 1, &size);
    lua_pushnumber(L, daub_crc32(bytes, size));
    return 1;
}

// inflate(packed, size, crc) -> bytes; or nil, message, code
static int l_inflate(lua_State *L) {
    size_t packed_size;
    const char *packed = luaL_checklstring(L, 1, &packed_size);
    int64_t size = lx_check_int64(L, 2), crc = lx_check_int64(L, 3);
    luaL_argcheck(L, size >= 0 && size < (int64_t)1 << 30, 2, "less than 1 GiB expected");
    void *out = lua_newuserdata(L, (size_t)size);
    daub_status status = daub_inflate(packed, packed_size, out, (size_t)size);
    if (status == DAUB_OK && daub_crc32(out, (size_t)size) != (uint32_t)crc)
        status = daub_fail(DAUB_DECODE, "inflate: the checksum is wrong");
    if (status != DAUB_OK) return lx_fail(L, status);
    lua_pushlstring(L, out, (size_t)size);
    return 1;
}

static int l_random_bytes(lua_State *L) {
    char bytes[256];
    int64_t n = lx_check_int64(L, 1);
    luaL_argcheck(L, n >= 0 && n <= (int64_t)sizeof bytes, 1, "0 to 256 bytes expected");
    if (getrandom(bytes, (size_t)n, 0) != n) luaL_error(L, "random_bytes: the system gave none");
    lua_pushlstring(L, bytes, (size_t)n);
    return 1;
}

static const luaL_Reg functions[] = {
    {"version", l_version},
    {"info", l_info},
    {"threads", l_threads},
    {"memory", l_memory},
    {"trim", l_trim},
    {"now", l_now},
    {"time", l_time},
    {"cpu_time", l_cpu_time},
    {"sleep", l_sleep},
    {"interrupted", l_interrupted},
    {"hold_interrupts", l_hold_interrupts},
    {"isatty", l_isatty},
    {"terminal_size", l_terminal_size},
    {"sha256", l_sha256},
    {"sha256_file", l_sha256_file},
    {"no_dumps", l_no_dumps},
    {"hmac_sha1", l_hmac_sha1},
    {"base64", l_base64},
    {"crc32", l_crc32},
    {"inflate", l_inflate},
    {"random_bytes", l_random_bytes},
    {NULL, NULL},
};

int luaopen_daub_core_system(lua_State *L) {
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    lx_system_files(L);
    lx_system_processes(L);
    return 1;
}
