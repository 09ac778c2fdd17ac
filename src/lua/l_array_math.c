// daub.core.array: arithmetic, reductions, products.
#include "array/ops.h"
#include "lua/l_array.h"

// Functions that take an operation's name have a table {name = number} as first upvalue.
static int check_op(lua_State *L, int index, const char *kind) {
    luaL_checkstring(L, index);
    lua_pushvalue(L, index);
    lua_rawget(L, lua_upvalueindex(1));
    if (lua_isnil(L, -1)) lx_misuse(L, "unknown %s operation '%s'", kind, lua_tostring(L, index));
    int op = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return op;
}

// An array at `index`, or a Lua number as an array of this dtype over `cell`.
static const daub_array *operand(lua_State *L, int index, daub_array *number, daub_cell *cell,
                                 daub_dtype dtype) {
    if (lua_type(L, index) != LUA_TNUMBER) return lx_check_array(L, index);
    lx_check(L, daub_array_number(number, cell, dtype, lua_tonumber(L, index)));
    return number;
}

// The dtype of the first array among arguments first … last.
static daub_dtype array_dtype(lua_State *L, int first, int last) {
    for (int i = first; i <= last; i++) {
        if (lua_type(L, i) != LUA_TNUMBER) return lx_check_array(L, i)->dtype;
    }
    lx_misuse(L, "at least one operand must be an array");
    return DAUB_F32;
}

static int array_unary(lua_State *L) {
    daub_unary_op op = (daub_unary_op)check_op(L, 1, "unary");
    daub_array *a = lx_check_array(L, 2);
    if (!lua_isnoneornil(L, 3)) {
        lx_check(L, daub_array_unary_to(lx_check_array(L, 3), op, a));
        lua_settop(L, 3);
        return 1;
    }
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_unary(out, op, a));
    lx_account(L, out);
    return 1;
}

// op, a, b in places 1 to 3; the result goes to the array in place `to`, if there is one.
static int push_binary(lua_State *L, daub_binary_op op, int to) {
    daub_cell cell;
    daub_array number;
    daub_dtype dtype = array_dtype(L, 2, 3);
    const daub_array *a = operand(L, 2, &number, &cell, dtype);
    const daub_array *b = operand(L, 3, &number, &cell, dtype);
    if (!lua_isnoneornil(L, to)) {
        lx_check(L, daub_array_binary_to(lx_check_array(L, to), op, a, b));
        lua_settop(L, to);
        return 1;
    }
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_binary(out, op, a, b));
    lx_account(L, out);
    return 1;
}

static int array_binary(lua_State *L) {
    return push_binary(L, (daub_binary_op)check_op(L, 1, "binary"), 4);
}

// Names of two-operand gradients (tanh_grad) are accepted here as well; their numbers are negative.
static int array_ternary(lua_State *L) {
    int op = check_op(L, 1, "ternary");
    if (op < 0) return push_binary(L, (daub_binary_op)(-op - 1), 5);
    daub_cell cells[2];
    daub_array numbers[2];
    daub_dtype dtype = op == DAUB_WHERE ? array_dtype(L, 3, 4) : array_dtype(L, 2, 4);
    const daub_array *a = lx_check_array(L, 2);
    const daub_array *b = operand(L, 3, &numbers[0], &cells[0], dtype);
    const daub_array *c = operand(L, 4, &numbers[1], &cells[1], dtype);
    if (!lua_isnoneornil(L, 5)) {
        lx_check(L, daub_array_ternary_to(lx_check_array(L, 5), (daub_ternary_op)op, a, b, c));
        lua_settop(L, 5);
        return 1;
    }
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_ternary(out, (daub_ternary_op)op, a, b, c));
    lx_account(L, out);
    return 1;
}

static int array_reduce(lua_State *L) {
    daub_reduce_op op = (daub_reduce_op)check_op(L, 1, "reduce");
    daub_array *a = lx_check_array(L, 2);
    unsigned over = lx_check_dims(L, 3, a);
    bool keep = lua_toboolean(L, 4);
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_reduce(out, op, a, over, keep));
    lx_account(L, out);
    return 1;
}

static int array_matmul(lua_State *L) {
    daub_array *a = lx_check_array(L, 1), *b = lx_check_array(L, 2);
    bool ta = lua_toboolean(L, 3), tb = lua_toboolean(L, 4);
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_matmul(out, a, b, ta, tb));
    lx_account(L, out);
    return 1;
}

#define NUMBER_OF(constant, name) lua_pushinteger(L, DAUB_##constant), lua_setfield(L, -2, #name);

static void push_with_names(lua_State *L, const char *name, lua_CFunction function) {
    lua_pushcclosure(L, function, 1); // takes the table of names from the stack
    lua_setfield(L, -2, name);
}

void l_array_math(lua_State *L) {
    lua_newtable(L);
    DAUB_UNARY_LIST(NUMBER_OF)
    push_with_names(L, "unary", array_unary);
    lua_newtable(L);
    DAUB_BINARY_LIST(NUMBER_OF)
    push_with_names(L, "binary", array_binary);
    lua_newtable(L);
    DAUB_TERNARY_LIST(NUMBER_OF)
    lua_pushinteger(L, -DAUB_TANH_GRAD - 1);
    lua_setfield(L, -2, "tanh_grad");
    lua_pushinteger(L, -DAUB_SIGMOID_GRAD - 1);
    lua_setfield(L, -2, "sigmoid_grad");
    push_with_names(L, "ternary", array_ternary);
    lua_newtable(L);
    DAUB_REDUCE_LIST(NUMBER_OF)
    push_with_names(L, "reduce", array_reduce);
    lua_pushcfunction(L, array_matmul);
    lua_setfield(L, -2, "matmul");
}
