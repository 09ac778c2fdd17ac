-- Tensors: n-d arrays that know how they were made.
--
--     local x = tensor.randn({ 64, 32, 96, 3 }, { requires_grad = true })
--     local y = (x * 2 + 1):relu():mean()
--     y:backward()
--     print(x.grad)
--
-- Dimensions and indices are 1-based, negative ones count from the end. Names follow PyTorch's.
-- Methods: tensor/arithmetic.lua, shape.lua, reduce.lua, inplace.lua.
local ffi = require "ffi"
local A = require "daub.core.array"
local class = require "daub.tensor.class"
local options = require "daub.options"
local random = require "daub.tensor.random"
local arithmetic = require "daub.tensor.arithmetic"
local shape_ops = require "daub.tensor.shape"
require "daub.tensor.reduce"
require "daub.tensor.inplace"
require "daub.tensor.print"

local methods, wrap = class.methods, class.wrap

local M = {
  is_tensor = class.is_tensor,
  wrap = class.wrap, -- a core array as a tensor
  where = arithmetic.where,
  cat = shape_ops.cat,
  stack = shape_ops.stack,
}


-- Options every creation function knows.
local function creation(op, o, dtype)
  if o == nil then return { dtype = dtype } end
  o = options.check(op, o, { dtype = dtype, requires_grad = false, generator = options.none })
  options.choice(op, "dtype", o.dtype, class.dtypes)
  return o
end

local function finish(array, o)
  local x = wrap(array)
  if o.requires_grad then x:requires_grad_() end
  return x
end

-- zeros{2, 3}, zeros(2, 3) and zeros({2, 3}, {dtype = …}) alike.
local function shape_and_options(op, first, ...)
  if type(first) == "number" then
    local list, o = { first, ... }, nil
    if type(list[#list]) == "table" then o = table.remove(list) end
    return options.wholes(op, "the shape", list, 0), o
  end
  return options.wholes(op, "the shape", first, 0), (...)
end

local function constant(name, value)
  M[name] = function(...)
    local shape, o = shape_and_options(name, ...)
    o = creation(name, o, "f32")
    return finish(A.full(shape, value, o.dtype), o)
  end
  methods[name .. "_like"] = function(x, o)
    o = creation(name .. "_like", o, class.expect(name .. "_like", x).dtype)
    return finish(A.full(x.shape, value, o.dtype), o)
  end
  M[name .. "_like"] = methods[name .. "_like"]
end
constant("zeros", 0)
constant("ones", 1)

--- Contents undefined.
function M.empty(...)
  local shape, o = shape_and_options("empty", ...)
  o = creation("empty", o, "f32")
  return finish(A.new(shape, o.dtype), o)
end

---@param shape integer[]
---@param value number
function M.full(shape, value, o)
  o = creation("full", o, "f32")
  options.wholes("full", "the shape", shape, 0)
  return finish(A.full(shape, options.number("full", "the value", value), o.dtype), o)
end
function methods.full_like(x, value, o)
  o = creation("full_like", o, class.expect("full_like", x).dtype)
  return finish(A.full(x.shape, options.number("full_like", "the value", value), o.dtype), o)
end
M.full_like = methods.full_like

local function random_fill(name, fill)
  M[name] = function(...)
    local shape, o = shape_and_options(name, ...)
    o = creation(name, o, "f32")
    return finish(fill(random.generator_of(o), shape, o.dtype), o)
  end
  methods[name .. "_like"] = function(x, o)
    o = creation(name .. "_like", o, class.expect(name .. "_like", x).dtype)
    return finish(fill(random.generator_of(o), x.shape, o.dtype), o)
  end
  M[name .. "_like"] = methods[name .. "_like"]
end
random_fill("rand", A.uniform)
random_fill("randn", A.normal)

--- Whole numbers in [low, past_high), i64 unless o.dtype says otherwise. randint(past_high, shape)
--- starts at 0.
function M.randint(low, past_high, shape, o)
  if type(past_high) == "table" then low, past_high, shape, o = 0, low, past_high, shape end
  o = creation("randint", o, "i64")
  options.whole("randint", "the lower end", low)
  options.whole("randint", "the upper end", past_high)
  options.wholes("randint", "the shape", shape, 0)
  return finish(A.integers(random.generator_of(o), low, past_high, shape, o.dtype), o)
end

--- 1 … n in random order, i64.
function M.randperm(n, o)
  o = creation("randperm", o, "i64")
  options.whole("randperm", "the count", n, 0)
  return finish(A.permutation(random.generator_of(o), n), o):to(o.dtype)
end

--- first, first + step, … below past_last. arange(n) starts at 0.
function M.arange(first, past_last, step, o)
  if type(step) == "table" then step, o = nil, step end
  if type(past_last) == "table" then past_last, o = nil, past_last end
  if past_last == nil then first, past_last = 0, first end
  o = creation("arange", o, "f32")
  options.number("arange", "the first", first)
  options.number("arange", "the end", past_last)
  return finish(A.arange(first, past_last, options.number("arange", "the step", step or 1),
    o.dtype), o)
end

--- `count` numbers from first to last, both included.
function M.linspace(first, last, count, o)
  o = creation("linspace", o, "f32")
  options.number("linspace", "the first", first)
  options.number("linspace", "the last", last)
  options.whole("linspace", "the count", count, 0)
  return finish(A.linspace(first, last, count, o.dtype), o)
end

--- The identity matrix.
function M.eye(n, o)
  o = creation("eye", o, "f32")
  options.whole("eye", "the size", n, 0)
  local a = A.full({ n, n }, 0, o.dtype)
  for i = 1, n do A.fill_(A.select(A.select(a, 1, i), 1, i), 1) end
  return finish(a, o)
end

-- The shape of nested tables, taken from their first entries; fills `flat` and checks the rest.
local function flatten(values, flat, shape, depth)
  if type(values) == "number" or type(values) == "boolean" then
    if depth <= #shape then
      options.misuse("from: entries of one level are both numbers and tables")
    end
    flat[#flat + 1] = type(values) == "number" and values or (values and 1 or 0)
    return
  end
  if type(values) ~= "table" then
    options.misuse("from: found a " .. type(values) .. ", expected numbers in nested tables")
  end
  if depth > #shape then
    options.misuse("from: entries of one level are both numbers and tables")
  end
  if #values ~= shape[depth] then
    options.misuse(("from: rows of different length: %d and %d at level %d"):format(shape[depth],
      #values, depth))
  end
  for i = 1, #values do flatten(values[i], flat, shape, depth + 1) end
end

--- A tensor of the numbers in (nested) tables. With o.shape the table is flat, row by row.
---@param values number|table
---@param o? {dtype: daub.Dtype, requires_grad: boolean, shape: integer[]}
function M.from(values, o)
  o = options.check("from", o, { dtype = "f32", requires_grad = false, shape = options.none })
  options.choice("from", "dtype", o.dtype, class.dtypes)
  local shape, flat, level = {}, {}, values
  while type(level) == "table" do
    shape[#shape + 1] = #level
    level = level[1]
  end
  flatten(values, flat, shape, 1)
  return finish(A.from(flat, o.shape or shape, o.dtype), o)
end

--- The one element as a Lua number.
function methods.item(x)
  if x:numel() ~= 1 then
    options.misuse("item: shape " .. options.shape(x.shape) .. ", expected one element")
  end
  return A.item(x.array)
end

--- All elements, row by row.
function methods.totable_flat(x) return A.totable(x.array) end

local function nest(flat, shape, depth, at)
  if depth > #shape then return flat[at + 1], at + 1 end
  local rows = {}
  for i = 1, shape[depth] do rows[i], at = nest(flat, shape, depth + 1, at) end
  return rows, at
end

--- Nested tables; a number for a tensor without dimensions.
function methods.totable(x) return (nest(A.totable(x.array), x.shape, 1, 0)) end

local pointer_types = {
  f32 = ffi.typeof "float *", f64 = ffi.typeof "double *", bf16 = ffi.typeof "uint16_t *",
  u8 = ffi.typeof "uint8_t *", i32 = ffi.typeof "int32_t *", i64 = ffi.typeof "int64_t *",
}
local alive = setmetatable({}, { __mode = "k" }) -- pointer -> the array it points into

--- An FFI pointer to the first element of a contiguous tensor, 0-based: p[0] … p[numel - 1].
--- The pointer (not one computed from it) keeps the memory alive.
function methods.view(x, ...)
  if select("#", ...) > 0 then
    options.misuse("view: gives an FFI pointer and takes no shape (use reshape)")
  end
  if not A.is_contiguous(x.array) then
    options.misuse("view: the elements do not lie in order (use x:contiguous():view())")
  end
  local p = ffi.cast(pointer_types[x.dtype], A.pointer(x.array))
  alive[p] = x.array
  return p
end

--- Bytes row by row, as they lie in memory.
function methods.tobytes(x) return A.tostring(x.array) end
--- The tensor those bytes were of.
---@param bytes string
---@param shape integer[]
---@param dtype string
---@return daub.Tensor
function M.from_bytes(bytes, shape, dtype)
  if type(bytes) ~= "string" then
    options.misuse("from_bytes: the bytes are " .. options.shown(bytes) .. ", expected a string")
  end
  options.wholes("from_bytes", "the shape", shape, 0)
  options.choice("from_bytes", "dtype", dtype, class.dtypes)
  return wrap(A.from_string(bytes, shape, dtype))
end

--- A generator of random numbers of its own, for the `generator` option.
function M.generator(seed)
  if type(seed) ~= "string" then options.whole("generator", "the seed", seed, 0) end
  return A.generator(seed)
end

return M
