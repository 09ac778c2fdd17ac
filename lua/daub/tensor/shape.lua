-- Views, joins and picks: reshape permute narrow expand pad flip cat stack index_select gather …
-- All are linear, so most are a map and its transpose.
local A = require "daub.core.array"
local autograd = require "daub.autograd"
local options = require "daub.options"
local class = require "daub.tensor.class"

local methods, wrap = class.methods, class.wrap
local view_map, linear_map, dimension = class.view_map, class.linear_map, class.dimension
local record = autograd.record
local unpack = unpack

local M = {}

-- reshape{2, 3} and reshape(2, 3) alike.
local function sizes(op, first, ...)
  return options.wholes(op, "the list", type(first) == "table" and first or { first, ... })
end

--- The same elements in another shape; one size may be -1. A view where the strides allow it.
function methods.reshape(x, ...)
  local shape, from = sizes("reshape", ...), x.shape
  return view_map("reshape", x, A.reshape(x.array, shape), function(g) return g:reshape(from) end)
end

--- Dimensions in another order: permute{1, 4, 2, 3}.
function methods.permute(x, ...)
  local dims, inverse = sizes("permute", ...), {}
  local y = A.permute(x.array, dims)
  for i, d in ipairs(dims) do inverse[d > 0 and d or #dims + d + 1] = i end
  return view_map("permute", x, y, function(g) return g:permute(inverse) end)
end

--- Swaps two dimensions.
function methods.transpose(x, a, b)
  local dims = {}
  for i = 1, #x.shape do dims[i] = i end
  a, b = dimension("transpose", x, a), dimension("transpose", x, b)
  dims[a], dims[b] = b, a
  return x:permute(dims)
end

--- The transpose of a matrix.
function methods.t(x)
  if #x.shape ~= 2 then
    options.misuse("t: shape " .. options.shape(x.shape) .. ", expected a matrix")
  end
  return x:permute { 2, 1 }
end

--- `length` elements of dimension `dim` from `start` on.
function methods.narrow(x, dim, start, length)
  dim = dimension("narrow", x, dim)
  local n = x.shape[dim]
  options.whole("narrow", "the start", start)
  options.whole("narrow", "the length", length, 0)
  if start < 0 then start = n + start + 1 end
  local y = A.narrow(x.array, dim, start, length)
  local pads = {}
  for i = 1, #x.shape do pads[i] = { 0, 0 } end
  pads[dim] = { start - 1, n - (start - 1 + length) }
  return view_map("narrow", x, y, function(g) return g:pad(pads) end)
end

--- Element `index` of dimension `dim`, which goes away.
function methods.select(x, dim, index)
  dim = dimension("select", x, dim)
  options.whole("select", "the index", index)
  local y = A.select(x.array, dim, index)
  local n = x.shape[dim]
  if index < 0 then index = n + index + 1 end
  local pads = {}
  for i = 1, #x.shape do pads[i] = { 0, 0 } end
  pads[dim] = { index - 1, n - index }
  return view_map("select", x, y, function(g) return g:unsqueeze(dim):pad(pads) end)
end

--- Repeats dimensions of size 1 (and new leading ones) without copying; -1 keeps a size.
function methods.expand(x, ...)
  local shape, from = {}, x.shape
  local asked = sizes("expand", ...)
  for i, n in ipairs(asked) do
    shape[i] = n == -1 and from[i - (#asked - #from)] or n
  end
  return view_map("expand", x, A.expand(x.array, shape),
    function(g) return class.sum_to(g, from) end)
end
function methods.expand_as(x, y)
  return x:expand(class.expect("expand_as", y, "the model").shape)
end

--- A new dimension of size 1 at `dim`.
function methods.unsqueeze(x, dim)
  dim = dimension("unsqueeze", x, dim, #x.shape + 1)
  local shape = { unpack(x.shape) }
  table.insert(shape, dim, 1)
  return x:reshape(shape)
end

--- Without dimension `dim` if its size is 1; without all such dimensions when nil.
function methods.squeeze(x, dim)
  local shape = {}
  if dim then dim = dimension("squeeze", x, dim) end
  for i, n in ipairs(x.shape) do
    if n ~= 1 or (dim and dim ~= i) then shape[#shape + 1] = n end
  end
  return x:reshape(shape)
end

--- Dimensions `first` … `last` as one.
function methods.flatten(x, first, last)
  if #class.expect("flatten", x).shape == 0 then return x:reshape { 1 } end
  first, last = dimension("flatten", x, first or 1), dimension("flatten", x, last or -1)
  local shape, n = {}, 1
  for i, size in ipairs(x.shape) do
    if i < first or i > last then
      shape[#shape + 1] = size
    else
      n = n * size
      if i == last then shape[#shape + 1] = n end
    end
  end
  return x:reshape(shape)
end

--- Pieces of `size` (the last may be smaller) along `dim` (default 1).
function methods.split(x, size, dim)
  dim = dimension("split", x, dim or 1)
  local pieces = {}
  options.whole("split", "the size", size, 1)
  for start = 1, x.shape[dim], size do
    pieces[#pieces + 1] = x:narrow(dim, start, math.min(size, x.shape[dim] - start + 1))
  end
  return pieces
end

--- `count` pieces of nearly equal size along `dim` (default 1).
function methods.chunk(x, count, dim)
  dim = dimension("chunk", x, dim or 1)
  options.whole("chunk", "the count", count, 1)
  return x:split(math.max(1, math.ceil(x.shape[dim] / count)), dim)
end

--- The whole repeated counts[i] times along dimension i.
function methods.tile(x, ...)
  local counts = sizes("tile", ...)
  local extra = #counts - #x.shape
  local from, over, to = {}, {}, {}
  for i = 1, math.max(#counts, #x.shape) do
    local n = x.shape[i - math.max(extra, 0)] or 1
    local times = counts[i + math.min(extra, 0)] or 1
    from[#from + 1], from[#from + 2] = 1, n
    over[#over + 1], over[#over + 2] = times, n
    to[i] = times * n
  end
  return x:reshape(from):expand(over):reshape(to)
end

--- A copy of its own memory.
function methods.clone(x)
  return record(wrap(A.clone(x.array)), "clone", { x }, function(g) return g end)
end

--- x itself when its elements lie in order, else a copy.
function methods.contiguous(x)
  if A.is_contiguous(x.array) then return x end
  return x:clone()
end

--- x with another dtype (itself when it has it already).
function methods.to(x, dtype)
  local from = x.dtype
  if from == dtype then return x end
  options.choice("to", "dtype", dtype, class.dtypes)
  local y = wrap(A.cast(x.array, dtype))
  if not y:is_floating_point() then return y end
  return record(y, "to", { x }, function(g) return g:to(from) end)
end
function methods.float(x) return x:to("f32") end
function methods.double(x) return x:to("f64") end

--- Adds `value` around: pads = {{before, after}, …} per dimension; negative numbers crop.
function methods.pad(x, pads, value)
  local crop = {}
  if type(pads) ~= "table" or #pads ~= #x.shape then
    options.misuse(("pad: expected a pair {before, after} for each dimension of %s"):format(
      options.shape(x.shape)))
  end
  for i = 1, #pads do
    options.wholes("pad", "pair " .. i, pads[i])
    crop[i] = { -options.whole("pad", "the first of pair " .. i, pads[i][1]),
      -options.whole("pad", "the second of pair " .. i, pads[i][2]) }
  end
  value = options.number("pad", "the value", value or 0)
  return record(wrap(A.pad(x.array, pads, value)), "pad", { x },
    function(g) return g:pad(crop) end)
end

--- Elements in reverse order along dims (a number or a list).
function methods.flip(x, dims)
  dims = class.dimensions("flip", x, dims)
  local function flip(a) return A.flip(a, dims) end
  return linear_map("flip", x, flip, flip)
end

--- Elements moved by `shift` along `dim`, those that fall off come in at the other end.
function methods.roll(x, shift, dim)
  dim = dimension("roll", x, dim)
  options.whole("roll", "the shift", shift)
  local n = x.shape[dim]
  shift = n > 0 and shift % n or 0
  if shift == 0 then return x:clone() end
  return M.cat({ x:narrow(dim, n - shift + 1, shift), x:narrow(dim, 1, n - shift) }, dim)
end

local function expect_list(op, tensors)
  if type(tensors) ~= "table" or class.is_tensor(tensors) or #tensors == 0 then
    options.misuse(op .. ": expected a list of tensors")
  end
  for i, x in ipairs(tensors) do class.expect(op, x, "entry " .. i) end
end

--- Joins tensors along `dim` (default 1).
function M.cat(tensors, dim)
  expect_list("cat", tensors)
  dim = dimension("cat", tensors[1], dim or 1)
  local arrays, lengths = {}, {}
  for i, x in ipairs(tensors) do
    arrays[i], lengths[i] = x.array, x.shape[dim] or 0
  end
  return record(wrap(A.concat(arrays, dim)), "cat", { unpack(tensors) }, function(g, need)
    local out, start = {}, 1
    for i, n in ipairs(lengths) do
      out[i] = need[i] and g:narrow(dim, start, n) or false
      start = start + n
    end
    return unpack(out)
  end)
end

--- Joins tensors of one shape along a new dimension `dim` (default 1).
function M.stack(tensors, dim)
  expect_list("stack", tensors)
  local list = {}
  for i, x in ipairs(tensors) do list[i] = x:unsqueeze(dim or 1) end
  return M.cat(list, dim or 1)
end

-- The array of an index: whole numbers from 1 in a tensor of any dtype, or a list of numbers.
local function index_array(op, idx)
  if type(idx) == "table" and not class.is_tensor(idx) then
    return A.from(options.wholes(op, "the index", idx), { #idx }, "i64")
  end
  if not class.expect(op, idx, "the index"):is_floating_point() then
    return idx.dtype == "u8" and A.cast(idx.array, "i64") or idx.array
  end
  local whole = idx:detach():to("i64")
  if whole:to(idx.dtype):ne(idx):any():item() ~= 0 then
    options.misuse(op .. ": the index holds fractions, expected whole numbers from 1")
  end
  return whole.array
end

local function zeros(shape, dtype) return A.full(shape, 0, dtype) end

--- Entries idx (list or i64 tensor, 1-based) along dimension dim.
function methods.index_select(x, dim, idx)
  dim = dimension("index_select", x, dim)
  local index, shape, dtype = index_array("index_select", idx), x.shape, x.dtype
  return linear_map("index_select", x, function(a) return A.index_select(a, dim, index) end,
    function(g) return A.index_add_(zeros(shape, dtype), dim, index, g) end)
end

--- x with source's entries added at places idx of dimension dim.
function methods.index_add(x, dim, idx, source)
  dim = dimension("index_add", x, dim)
  local index = wrap(index_array("index_add", idx))
  class.expect("index_add", source, "the source")
  return record(wrap(A.index_add_(A.clone(x.array), dim, index.array, source.array)), "index_add",
    { x, source }, function(g) return g, g:index_select(dim, index) end, { index })
end

--- y[i][j] = x[i][idx[i][j]] for dim 2, and so on, as torch.gather; idx 1-based.
function methods.gather(x, dim, idx)
  dim = dimension("gather", x, dim)
  local index, shape, dtype = index_array("gather", idx), x.shape, x.dtype
  return linear_map("gather", x, function(a) return A.gather(a, dim, index) end,
    function(g) return A.scatter_add_(zeros(shape, dtype), dim, index, g) end)
end

--- x with source's entries added where gather would read them.
function methods.scatter_add(x, dim, idx, source)
  dim = dimension("scatter_add", x, dim)
  local index = wrap(index_array("scatter_add", idx))
  class.expect("scatter_add", source, "the source")
  return record(wrap(A.scatter_add_(A.clone(x.array), dim, index.array, source.array)),
    "scatter_add", { x, source }, function(g) return g, g:gather(dim, index) end, { index })
end

return M
