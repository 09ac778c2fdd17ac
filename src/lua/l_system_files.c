// daub.core.system: files, folders and locks.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "lua/l_system.h"

#define LOCK "daub.lock"

static int io_failure(lua_State *L, const char *path) {
    return lx_fail(L, daub_fail(DAUB_IO, "%s: %s", path, strerror(errno)));
}

static int write_parts(lua_State *L, const char *path) {
    size_t count = lua_objlen(L, 2);
    daub_bytes *parts = lua_newuserdata(L, (count + 1) * sizeof *parts);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 2, (int)i + 1); // the table keeps the string alive
        if (lua_type(L, -1) != LUA_TSTRING)
            return luaL_argerror(L, 2, "string or list of strings expected");
        parts[i].data = lua_tolstring(L, -1, &parts[i].size);
        lua_pop(L, 1);
    }
    return lx_system_result(L, daub_file_write(path, parts, count));
}

static int l_write_file(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    if (lua_istable(L, 2)) return write_parts(L, path);
    daub_bytes all;
    all.data = luaL_checklstring(L, 2, &all.size);
    return lx_system_result(L, daub_file_write(path, &all, 1));
}

static int l_read_file(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    double max = luaL_optnumber(L, 2, 0x7fffff00); // the longest Lua string
    luaL_argcheck(L, max >= 0, 2, "a number of bytes expected");
    char *data;
    size_t size;
    daub_status status = daub_file_read(path, (size_t)fmin(max, 0x7fffff00), &data, &size);
    if (status != DAUB_OK) return lx_system_result(L, status);
    lua_pushlstring(L, data, size);
    free(data);
    return 1;
}

static int l_make_directory(lua_State *L) {
    return lx_system_result(L, daub_file_make_directory(luaL_checkstring(L, 1)));
}

static int l_remove(lua_State *L) {
    return lx_system_result(L, daub_file_remove(luaL_checkstring(L, 1)));
}

static int l_rename(lua_State *L) {
    return lx_system_result(L, daub_file_rename(luaL_checkstring(L, 1), luaL_checkstring(L, 2)));
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(char **names, size_t count) {
    for (size_t i = 0; i < count; i++) free(names[i]);
    free(names);
}

// Reads the whole folder into *names; errno tells why it failed.
static int read_names(DIR *folder, char ***names, size_t *count) {
    size_t room = 0;
    for (struct dirent *entry; errno = 0, (entry = readdir(folder));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (*count == room) {
            room = room ? room * 2 : 64;
            char **grown = realloc(*names, room * sizeof *grown);
            if (!grown) return -1;
            *names = grown;
        }
        (*names)[*count] = strdup(entry->d_name);
        if (!(*names)[*count]) return -1;
        ++*count;
    }
    return errno ? -1 : 0;
}

static int l_list_directory(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    DIR *folder = opendir(path);
    if (!folder) return io_failure(L, path);
    char **names = NULL;
    size_t count = 0;
    int failed = read_names(folder, &names, &count), reason = errno;
    closedir(folder);
    if (failed) {
        free_names(names, count);
        errno = reason;
        return io_failure(L, path);
    }
    if (count) qsort(names, count, sizeof *names, by_name);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushstring(L, names[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    free_names(names, count);
    return 1;
}

static int l_stat(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    struct stat info;
    if (lstat(path, &info)) return io_failure(L, path);
    lua_createtable(L, 0, 4);
    lua_pushstring(L, S_ISREG(info.st_mode)   ? "file"
                      : S_ISDIR(info.st_mode) ? "directory"
                      : S_ISLNK(info.st_mode) ? "link"
                                              : "other");
    lua_setfield(L, -2, "type");
    lua_pushnumber(L, (lua_Number)info.st_size);
    lua_setfield(L, -2, "size");
    lua_pushnumber(L, (double)info.st_mtim.tv_sec + (double)info.st_mtim.tv_nsec * 1e-9);
    lua_setfield(L, -2, "mtime");
    lua_pushinteger(L, info.st_mode & 07777);
    lua_setfield(L, -2, "mode");
    return 1;
}

static int l_chmod(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    if (chmod(path, (mode_t)lx_check_int64(L, 2) & 07777)) return io_failure(L, path);
    lua_pushboolean(L, 1);
    return 1;
}

static int l_realpath(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    char *real = realpath(path, NULL);
    if (!real) return io_failure(L, path);
    lua_pushstring(L, real);
    free(real);
    return 1;
}

static int l_temporary_directory(lua_State *L) {
    const char *prefix = luaL_optstring(L, 1, "daub");
    luaL_argcheck(L, !strchr(prefix, '/'), 1, "a name without / expected");
    char *path;
    daub_status status = daub_file_temporary_directory(prefix, &path);
    if (status != DAUB_OK) return lx_system_result(L, status);
    lua_pushstring(L, path);
    free(path);
    return 1;
}

static int l_lock_file(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    int *handle = lua_newuserdata(L, sizeof *handle);
    *handle = -1;
    luaL_getmetatable(L, LOCK);
    lua_setmetatable(L, -2);
    daub_status status = daub_file_lock(path, handle);
    return status == DAUB_OK ? 1 : lx_system_result(L, status);
}

static int l_lock_close(lua_State *L) {
    int *handle = luaL_checkudata(L, 1, LOCK);
    daub_file_unlock(*handle);
    *handle = -1;
    return 0;
}

static const luaL_Reg functions[] = {
    {"write_file", l_write_file},
    {"read_file", l_read_file},
    {"make_directory", l_make_directory},
    {"list_directory", l_list_directory},
    {"stat", l_stat},
    {"chmod", l_chmod},
    {"remove", l_remove},
    {"rename", l_rename},
    {"realpath", l_realpath},
    {"lock_file", l_lock_file},
    {"temporary_directory", l_temporary_directory},
    {NULL, NULL},
};

void lx_system_files(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
    luaL_newmetatable(L, LOCK);
    lua_pushcfunction(L, l_lock_close);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    lua_pushcfunction(L, l_lock_close);
    lua_setfield(L, -2, "close");
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
