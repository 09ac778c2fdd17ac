-- What arrays are tested with: plain Lua loops over their elements, comparisons, and views of
-- awkward kinds.
local A = require "daub.core.array"
local assert = require "luassert"

local M = {}

M.generator = A.generator(20240601)

-- ---- plain Lua ---------------------------------------------------------------------------------

function M.product(shape)
  local n = 1
  for _, s in ipairs(shape) do n = n * s end
  return n
end

-- Coordinates (0-based) of flat position k (0-based).
function M.coordinates(k, shape)
  local c = {}
  for d = #shape, 1, -1 do
    c[d] = k % shape[d]
    k = math.floor(k / shape[d])
  end
  return c
end

-- Flat position of `c` in an array of `shape` that is broadcast to #c dimensions.
function M.position(c, shape)
  local k = 0
  for d = 1, #shape do
    k = k * shape[d] + (shape[d] == 1 and 0 or c[d + #c - #shape])
  end
  return k
end

function M.broadcast(sa, sb)
  local out, n = {}, math.max(#sa, #sb)
  for d = 1, n do
    local a, b = sa[d - (n - #sa)] or 1, sb[d - (n - #sb)] or 1
    out[d] = a == 1 and b or a
  end
  return out
end

function M.map(f, shape, ...)
  local operands, out = { ... }, {}
  local values, shapes = {}, {}
  for i, o in ipairs(operands) do
    values[i], shapes[i] = o:totable(), o:shape()
  end
  for k = 0, M.product(shape) - 1 do
    local c, args = M.coordinates(k, shape), {}
    for i = 1, #operands do args[i] = values[i][M.position(c, shapes[i]) + 1] end
    out[k + 1] = f(args[1], args[2], args[3])
  end
  return out
end

function M.close(expected, array, tolerance, what)
  local got = array:totable()
  assert.are.equal(#expected, #got, what)
  for i = 1, #got do
    local e, v = expected[i], got[i]
    local good = (e ~= e and v ~= v) or e == v
      or math.abs(e - v) <= tolerance * math.max(1, math.abs(e))
    if not good then error(("%s: element %d is %.17g, expected %.17g"):format(what, i, v, e)) end
  end
end

function M.same(expected, array, what) M.close(expected, array, 0, what) end

-- ---- arrays of awkward kinds -------------------------------------------------------------------

function M.normal(shape, dtype) return A.normal(M.generator, shape, "f64"):cast(dtype or "f64") end

-- Views that hold random numbers: contiguous, transposed, every second element, expanded, reversed.
function M.views(dtype)
  return {
    M.normal({ 3, 5, 7 }, dtype),
    M.normal({ 7, 5, 3 }, dtype):permute { 3, 2, 1 },
    M.normal({ 3, 5, 14 }, dtype):narrow(3, 2, 7, 2),
    M.normal({ 3, 1, 7 }, dtype):expand { 3, 5, 7 },
    M.normal({ 5, 3, 7 }, dtype):permute { 2, 1, 3 },
    M.normal({ 2, 3, 5, 7 }, dtype):select(1, 2),
    M.normal({ 3, 11, 9 }, dtype):narrow(2, 4, 5):narrow(3, 2, 7),
  }
end

-- of a result, relative where that is above 1
M.eps = { f32 = 4e-6, f64 = 1e-13 }

return M
