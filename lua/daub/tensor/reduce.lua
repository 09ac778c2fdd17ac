-- Reductions, sorting and products of matrices.
-- dim is a number, a list of numbers or nil for all; keepdim keeps the reduced dimensions as 1.
local A = require "daub.core.array"
local autograd = require "daub.autograd"
local options = require "daub.options"
local class = require "daub.tensor.class"

local methods, wrap, record = class.methods, class.wrap, autograd.record
local dimensions, dimension = class.dimensions, class.dimension

local function expect_float(op, x)
  if not class.expect(op, x):is_floating_point() then
    options.misuse(("%s: dtype is %s, expected f32 or f64 (x:to(\"f32\"))"):format(op, x.dtype))
  end
end

-- x's shape with the dimensions `dims` of size 1, and how many elements they held together.
local function kept(x, dims)
  local shape, count = { unpack(x.shape) }, 1
  for _, d in ipairs(dims) do
    count = count * shape[d]
    shape[d] = 1
  end
  return shape, count
end

--- Sum over dim.
function methods.sum(x, dim, keepdim)
  local dims, shape = dimensions("sum", x, dim), x.shape
  local small = kept(x, dims)
  return record(wrap(A.reduce("sum", x.array, dims, keepdim)), "sum", { x },
    function(g) return g:reshape(small):expand(shape) end)
end

--- Mean over dim.
function methods.mean(x, dim, keepdim)
  expect_float("mean", x)
  local dims, shape = dimensions("mean", x, dim), x.shape
  local small, count = kept(x, dims)
  return record(wrap(A.reduce("mean", x.array, dims, keepdim)), "mean", { x },
    function(g) return (g * (1 / count)):reshape(small):expand(shape) end)
end

-- The product along one dimension, by halves: right where factors are 0, and differentiable.
local function product_along(x, dim)
  local n = x.shape[dim]
  if n == 0 then return x:sum(dim) + 1 end
  if n == 1 then return x:select(dim, 1) end
  local half = math.floor(n / 2)
  local y = x:narrow(dim, 1, half) * x:narrow(dim, half + 1, half)
  local rest = n % 2 == 1 and x:select(dim, n)
  y = product_along(y, dim)
  return rest and y * rest or y
end

--- Product over dim.
function methods.prod(x, dim, keepdim)
  local dims = dimensions("prod", x, dim)
  if not (autograd.enabled() and x.requires_grad) then
    return wrap(A.reduce("prod", x.array, dims, keepdim))
  end
  local shape = kept(x, dims)
  table.sort(dims, function(a, b) return a > b end)
  for _, d in ipairs(dims) do x = product_along(x, d) end
  return keepdim and x:reshape(shape) or x
end

-- Extreme over several dimensions: ties share the gradient, as PyTorch's amax.
local function extreme(op, name, x, dim, keepdim)
  local dims = dimensions(name, x, dim)
  local small = kept(x, dims)
  local y = wrap(A.reduce(op, x.array, dims, keepdim))
  local reached = y.array
  return record(y, name, { x }, function(g)
    local mask = x:eq(wrap(A.reshape(reached, small))):to(g.dtype)
    return g:reshape(small) * (mask / mask:sum(dims, true))
  end, { x })
end

local function extreme_along(arg, name, x, dim, keepdim)
  dim = dimension(name, x, dim)
  local index = wrap(arg(x.array, dim, true))
  local y = x:gather(dim, index)
  if keepdim then return y, index end
  return y:squeeze(dim), index:squeeze(dim)
end

--- Largest value. With a dimension also where it stands: values, indices (1-based).
function methods.max(x, dim, keepdim)
  if type(dim) == "number" then return extreme_along(A.argmax, "max", x, dim, keepdim) end
  return extreme("max", "max", x, dim, keepdim)
end

--- Smallest value. With a dimension also where it stands: values, indices (1-based).
function methods.min(x, dim, keepdim)
  if type(dim) == "number" then return extreme_along(A.argmin, "min", x, dim, keepdim) end
  return extreme("min", "min", x, dim, keepdim)
end

--- Largest and smallest values over dims; ties share the gradient.
function methods.amax(x, dim, keepdim) return extreme("max", "amax", x, dim, keepdim) end
function methods.amin(x, dim, keepdim) return extreme("min", "amin", x, dim, keepdim) end

local function arg_extreme(arg, name)
  return function(x, dim, keepdim)
    if dim == nil then x, dim = x:flatten(), 1 end
    return wrap(arg(x.array, dimension(name, x, dim), keepdim))
  end
end
--- Where the largest or smallest value stands along dim (1-based; in x:flatten() when nil).
methods.argmax, methods.argmin = arg_extreme(A.argmax, "argmax"), arg_extreme(A.argmin, "argmin")

--- Whether any or all elements are not 0 (u8).
function methods.any(x, dim, keepdim)
  return wrap(A.reduce("any", x.array, dimensions("any", x, dim), keepdim))
end
function methods.all(x, dim, keepdim)
  return wrap(A.reduce("all", x.array, dimensions("all", x, dim), keepdim))
end

--- Variance over dim, divided by n - correction (default 1, as PyTorch).
---@param o? {correction: number}
function methods.var(x, dim, keepdim, o)
  expect_float("var", x)
  local correction = options.check("var", o, { correction = 1 }).correction
  local dims = dimensions("var", x, dim)
  local _, count = kept(x, dims)
  local away = x - x:mean(dims, true)
  return away:square():sum(dims, keepdim) * (1 / math.max(count - correction, 0))
end
--- Standard deviation over dim; options as var.
function methods.std(x, dim, keepdim, o) return x:var(dim, keepdim, o):sqrt() end

--- The p-norm over dim (p = 2 unless {p = …}); its gradient is 0 where the norm is 0.
function methods.norm(x, dim, keepdim, o)
  expect_float("norm", x)
  local p = options.check("norm", o, { p = 2 }).p
  local dims = dimensions("norm", x, dim)
  if p == 1 then return x:abs():sum(dims, keepdim) end
  if p == math.huge then return x:abs():amax(dims, keepdim) end
  local sum = p == 2 and x:square():sum(dims, keepdim) or (x:abs() ^ p):sum(dims, keepdim)
  -- where the sum is 0 the root is taken of 1 and dropped: no infinite gradient enters
  local zero = sum:eq(0)
  local safe = sum:masked_fill(zero, 1)
  return (p == 2 and safe:sqrt() or safe ^ (1 / p)):masked_fill(zero, 0)
end

--- log(sum(exp(x))) over dim without overflow.
function methods.logsumexp(x, dim, keepdim)
  expect_float("logsumexp", x)
  local dims = dimensions("logsumexp", x, dim)
  local top = x:detach():amax(dims, true)
  top = top:masked_fill(top:isfinite():logical_not(), 0)
  local y = (x - top):exp():sum(dims, true):log() + top
  if keepdim then return y end
  local shape = {}
  local drop = {}
  for _, d in ipairs(dims) do drop[d] = true end
  for i, n in ipairs(x.shape) do
    if not drop[i] then shape[#shape + 1] = n end
  end
  return y:reshape(shape)
end

--- Running sums along dim.
function methods.cumsum(x, dim)
  dim = dimension("cumsum", x, dim)
  return class.linear_map("cumsum", x, function(a) return A.cumsum(a, dim) end,
    function(g) return A.flip(A.cumsum(A.flip(g, { dim }), dim), { dim }) end)
end

--- Values in order along dim (default the last), and where they stood (1-based).
function methods.sort(x, dim, descending)
  dim = dimension("sort", x, dim or -1)
  local values, index = A.sort(x.array, dim, descending or false)
  index = wrap(index)
  if autograd.enabled() and x.requires_grad then return x:gather(dim, index), index end
  return wrap(values), index
end

--- The k largest values along dim (default the last) in order, and where they stood.
function methods.topk(x, k, dim)
  dim = dimension("topk", x, dim or -1)
  options.whole("topk", "k", k, 0)
  local values, index = x:sort(dim, true)
  return values:narrow(dim, 1, k), index:narrow(dim, 1, k)
end

-- op(a) op(b), where op is the transpose of the last two dimensions when ta or tb.
local function product(a, b, ta, tb)
  local shape_a, shape_b = a.shape, b.shape
  return record(wrap(A.matmul(a.array, b.array, ta, tb)), "matmul", { a, b }, function(g, need)
    local da, db
    if need[1] then da = ta and product(b, g, tb, true) or product(g, b, false, not tb) end
    if need[2] then db = tb and product(g, a, true, ta) or product(a, g, not ta, false) end
    return da and class.sum_to(da, shape_a), db and class.sum_to(db, shape_b)
  end, { a, b })
end

--- Matrix product; leading dimensions are batches and broadcast. A vector is a row on the left, a
--- column on the right.
function methods.matmul(a, b)
  class.expect("matmul", b, "the second factor")
  local na, nb = #a.shape, #b.shape
  if na == 0 or nb == 0 or a.shape[na] ~= b.shape[math.max(nb - 1, 1)] then
    options.misuse(("matmul: shapes %s and %s do not fit"):format(options.shape(a.shape),
      options.shape(b.shape)))
  end
  if na == 1 then a = a:unsqueeze(1) end
  if nb == 1 then b = b:unsqueeze(2) end
  local y = product(a, b, false, false)
  if nb == 1 then y = y:squeeze(-1) end
  if na == 1 then y = y:squeeze(nb == 1 and -1 or -2) end
  return y
end
methods.mm, methods.bmm = methods.matmul, methods.matmul

--- The sum of products of two vectors.
function methods.dot(a, b)
  class.expect("dot", b, "the second factor")
  if #a.shape ~= 1 or #b.shape ~= 1 then options.misuse("dot: expected two vectors") end
  return a:matmul(b)
end

return { product = product }
