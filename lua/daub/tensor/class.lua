-- The tensor itself: one core array and, when a gradient is asked for, the node that made it.
--
-- Fields: array (daub.Array), requires_grad, node (false for leaves), grad (leaves, after
-- backward), shape and dtype (read from the array). Everything else is a method; the files beside
-- this one add them.
local A = require "daub.core.array"
local autograd = require "daub.autograd"
local options = require "daub.options"

local M = {}

---@class daub.Tensor
---@field shape integer[] a new list each time
---@field dtype daub.Dtype
---@field requires_grad boolean
---@field grad daub.Tensor|nil
local methods = {}
local Tensor = {} -- the metatable

M.methods, M.Tensor = methods, Tensor
M.dtypes = { "f32", "f64", "bf16", "u8", "i32", "i64" }

-- What completion at the REPL offers besides a tensor's own fields.
Tensor.__names = setmetatable({ shape = true, dtype = true, grad = true }, { __index = methods })

local record, version = autograd.record, autograd.version
local shape_of, dtype_of = A.shape, A.dtype

--- A tensor around a core array.
---@param array daub.Array
---@return daub.Tensor
local function wrap(array)
  return setmetatable({ array = array, requires_grad = false, node = false }, Tensor)
end
M.wrap = wrap

local function is_tensor(x) return type(x) == "table" and getmetatable(x) == Tensor end
M.is_tensor = is_tensor

--- Raises unless x is a tensor.
function M.expect(op, x, what)
  if not is_tensor(x) then
    options.misuse(("%s: %s is %s, expected a tensor"):format(op, what or "the argument",
      options.shown(x)))
  end
  return x
end

-- Fields that are nil until set.
local absent = { grad = true, _version = true, _sink = true, _viewed = true }

function Tensor.__index(x, key)
  local method = methods[key]
  if method then return method end
  if key == "shape" then
    return shape_of(rawget(x, "array")) -- a new list each time: callers may change theirs
  elseif key == "dtype" then
    local dtype = dtype_of(rawget(x, "array"))
    rawset(x, "dtype", dtype)
    return dtype
  elseif absent[key] then
    return nil
  elseif type(key) == "number" then
    return methods.select(x, 1, key)
  end
  return options.misuse(("a tensor has no field or method %s%s"):format(tostring(key),
    options.hint(key, methods)))
end

function Tensor.__newindex(x, key, value)
  if absent[key] or key == "dtype" then
    rawset(x, key, value)
  elseif type(key) == "number" then
    local row = methods.select(x, 1, key)
    if is_tensor(value) then row:copy_(value) else row:fill_(value) end
  else
    options.misuse(("a tensor has no field %s to set"):format(tostring(key)))
  end
end

local function refuse_order()
  options.misuse("tensors have no order: compare element by element with x:lt(y), x:le(y), "
    .. "x:gt(y), x:ge(y)")
end
Tensor.__lt, Tensor.__le = refuse_order, refuse_order
Tensor.__concat = function(a, b) return tostring(a) .. tostring(b) end

--- Whether two shapes (lists of sizes) are equal.
function M.same_shape(a, b)
  if #a ~= #b then return false end
  for i = 1, #a do
    if a[i] ~= b[i] then return false end
  end
  return true
end

--- The version cell {count} views of one storage share.
function M.version_cell(x)
  local cell = rawget(x, "_version")
  if not cell then
    cell = { 0 }
    rawset(x, "_version", cell)
  end
  return cell
end

--- Notes that x's memory was changed in place.
function M.changed(x)
  local cell = M.version_cell(x)
  cell[1] = cell[1] + 1
end

--- A tensor around an array that shares x's memory.
function M.wrap_view(x, array)
  local y = wrap(array)
  rawset(y, "_version", M.version_cell(x))
  rawset(y, "_viewed", true)
  rawset(x, "_viewed", true)
  return y
end

--- A linear map of arrays and its transpose: each one's gradient is the other.
---@param name string
---@param x daub.Tensor
---@param forward fun(a: daub.Array): daub.Array
---@param transpose fun(g: daub.Array): daub.Array
---@param add? fun(g: daub.Array, sum: daub.Array) adds the transpose of g to `sum`, of x's shape
function M.linear_map(name, x, forward, transpose, add)
  local y = record(wrap(forward(x.array)), name, { x }, function(g)
    return M.linear_map(name, g, transpose, forward)
  end)
  if y.node then y.node.add = add end
  return y
end

--- g where z > 0, slope * g elsewhere; its own transpose. Without a slope g itself.
---@param z daub.Tensor
---@param g daub.Tensor
---@param slope number?
function M.slope_gradient(z, g, slope)
  if not slope then return g end
  local signs = z.array
  local function map(a) return A.ternary("leaky_relu_grad", signs, a, slope) end
  return M.linear_map("leaky_relu_grad", g, map, map)
end

--- The same for maps that return views of their argument's memory.
---@param back fun(g: daub.Tensor): daub.Tensor
function M.view_map(name, x, array, back)
  return record(M.wrap_view(x, array), name, { x }, back)
end

--- A positive dimension of x; raises when x has no such dimension.
function M.dimension(op, x, dim, count)
  if not is_tensor(x) then M.expect(op, x) end
  local n = count or #x.shape
  if type(dim) ~= "number" or dim % 1 ~= 0 or dim == 0 or dim > n or dim < -n then
    options.misuse(("%s: dimension %s of a tensor of shape %s"):format(op, options.shown(dim),
      options.shape(x.shape)))
  end
  return dim > 0 and dim or n + dim + 1
end

--- Positive dimensions from nil (all of them), a number or a list.
function M.dimensions(op, x, dims)
  if not is_tensor(x) then M.expect(op, x) end
  local list = {}
  if dims == nil then
    for i = 1, #x.shape do list[i] = i end
  elseif type(dims) == "table" and not is_tensor(dims) then
    for i, d in ipairs(dims) do list[i] = M.dimension(op, x, d) end
  else
    list[1] = M.dimension(op, x, dims)
  end
  return list
end

--- Sums g over the dimensions along which a tensor of `shape` was broadcast to g's shape.
function M.sum_to(g, shape)
  local from = g.shape
  if M.same_shape(from, shape) then return g end
  local extra, dims = #from - #shape, {}
  for i = 1, extra do dims[i] = i end
  for i = 1, #shape do
    if shape[i] == 1 and from[extra + i] ~= 1 then dims[#dims + 1] = extra + i end
  end
  if #dims > 0 then g = g:sum(dims, true) end
  return g:reshape(shape)
end

-- Plain facts.
function methods.numel(x) return A.numel(x.array) end
function methods.ndim(x) return #x.shape end
methods.dim = methods.ndim
function methods.size(x, dim)
  if dim == nil then return x.shape end
  return x.shape[M.dimension("size", x, dim)]
end
function methods.is_contiguous(x) return A.is_contiguous(x.array) end
function methods.is_leaf(x) return not x.node end
function methods.is_floating_point(x)
  local d = x.dtype
  return d == "f32" or d == "f64" or d == "bf16"
end

--- Asks for a gradient (or no longer asks); for leaves only.
function methods.requires_grad_(x, on)
  if x.node then
    options.misuse("requires_grad_: this tensor was made by " .. x.node.name
      .. ", only leaves can be changed (use detach())")
  end
  on = on ~= false
  if on and not x:is_floating_point() then
    options.misuse("requires_grad_: dtype is " .. x.dtype .. ", expected f32, f64 or bf16")
  end
  x.requires_grad = on
  return x
end

--- The same memory without its history.
function methods.detach(x) return M.wrap_view(x, x.array) end

function methods.backward(x, gradient, o) return autograd.backward(x, gradient, o) end

M.version = version
return M
