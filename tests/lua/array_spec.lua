-- daub.core.array against plain Lua loops, and f32 against f64.
local A = require "daub.core.array"

local g = A.generator(20240601)

-- ---- plain Lua ---------------------------------------------------------------------------------

local function product(shape)
  local n = 1
  for _, s in ipairs(shape) do n = n * s end
  return n
end

-- Coordinates (0-based) of flat position k (0-based).
local function coordinates(k, shape)
  local c = {}
  for d = #shape, 1, -1 do
    c[d] = k % shape[d]
    k = math.floor(k / shape[d])
  end
  return c
end

-- Flat position of `c` in an array of `shape` that is broadcast to #c dimensions.
local function position(c, shape)
  local k = 0
  for d = 1, #shape do
    k = k * shape[d] + (shape[d] == 1 and 0 or c[d + #c - #shape])
  end
  return k
end

local function broadcast(sa, sb)
  local out, n = {}, math.max(#sa, #sb)
  for d = 1, n do
    local a, b = sa[d - (n - #sa)] or 1, sb[d - (n - #sb)] or 1
    out[d] = a == 1 and b or a
  end
  return out
end

local function map(f, shape, ...)
  local operands, out = { ... }, {}
  local values, shapes = {}, {}
  for i, o in ipairs(operands) do
    values[i], shapes[i] = o:totable(), o:shape()
  end
  for k = 0, product(shape) - 1 do
    local c, args = coordinates(k, shape), {}
    for i = 1, #operands do args[i] = values[i][position(c, shapes[i]) + 1] end
    out[k + 1] = f(args[1], args[2], args[3])
  end
  return out
end

local function close(expected, array, tolerance, what)
  local got = array:totable()
  assert.are.equal(#expected, #got, what)
  for i = 1, #got do
    local e, v = expected[i], got[i]
    local good = (e ~= e and v ~= v) or e == v
      or math.abs(e - v) <= tolerance * math.max(1, math.abs(e))
    if not good then error(("%s: element %d is %.17g, expected %.17g"):format(what, i, v, e)) end
  end
end

local function same(expected, array, what) close(expected, array, 0, what) end

-- ---- arrays of awkward kinds -------------------------------------------------------------------

local function normal(shape, dtype) return A.normal(g, shape, "f64"):cast(dtype or "f64") end

-- Views that hold random numbers: contiguous, transposed, every second element, expanded, reversed.
local function views(dtype)
  return {
    normal({ 3, 5, 7 }, dtype),
    normal({ 7, 5, 3 }, dtype):permute { 3, 2, 1 },
    normal({ 3, 5, 14 }, dtype):narrow(3, 2, 7, 2),
    normal({ 3, 1, 7 }, dtype):expand { 3, 5, 7 },
    normal({ 5, 3, 7 }, dtype):permute { 2, 1, 3 },
    normal({ 2, 3, 5, 7 }, dtype):select(1, 2),
    normal({ 3, 11, 9 }, dtype):narrow(2, 4, 5):narrow(3, 2, 7),
  }
end

local eps = { f32 = 4e-6, f64 = 1e-13 }

describe("creation", function()
  it("knows shapes, dtypes and sizes", function()
    local a = A.new({ 2, 3, 4 }, "i32")
    assert.same({ 2, 3, 4 }, a:shape())
    assert.same({ 12, 4, 1 }, a:strides())
    assert.are.equal("i32", a:dtype())
    assert.are.equal(24, a:numel())
    assert.are.equal(3, a:ndim())
    assert.are.equal(1, A.new({}):numel())
    assert.are.equal(0, A.new({ 0, 5 }):numel())
  end)

  it("refuses what is no shape", function()
    assert.has_error(function() A.new { -1 } end)
    assert.has_error(function() A.new { 1.5 } end)
    assert.has_error(function() A.new { 2 ^ 40, 2 ^ 40 } end,
      "array: the shape has too many elements")
    assert.has_error(function() A.new { 2 ^ 40, 0, 2 ^ 40 } end)
    assert.has_error(function() A.new { 1, 1, 1, 1, 1, 1, 1, 1, 1 } end)
    assert.has_error(function() A.new({ 1 }, "f16") end,
      "unknown dtype 'f16' (f32, f64, bf16, u8, i32, i64)")
  end)

  it("makes series", function()
    same({ 0, 1, 2 }, A.arange(0, 3), "arange")
    same({ 3, 1 }, A.arange(3, -1, -2), "arange down")
    same({}, A.arange(3, 0), "arange of nothing")
    same({ 0, 0.25, 0.5, 0.75, 1 }, A.linspace(0, 1, 5), "linspace")
    same({ 7 }, A.linspace(7, 9, 1), "linspace of one")
    assert.has_error(function() A.arange(0, 1, 0) end)
    assert.has_error(function() A.arange(0, 0 / 0) end)
  end)

  it("reads tables and bytes", function()
    same({ 1, 2, 3, 4 }, A.from({ 1, 2, 3, 4 }, { 2, 2 }, "i64"), "from")
    assert.has_error(function() A.from({ 1, 2, 3 }, { 2, 2 }) end,
      "from: 3 values do not fill shape {2, 2}")
    assert.has_error(function() A.from { 1, "x" } end, "from: value 2 is a string; number expected")
    assert.has_error(function() A.from({ 256 }, nil, "u8") end, "number 256 does not fit into u8")
    assert.has_error(function() A.from({ 0.5 }, nil, "i32") end)
    local a = normal({ 3, 4 }, "f32")
    same(a:totable(), A.from_string(a:tostring(), { 3, 4 }, "f32"), "bytes")
    assert.has_error(function() A.from_string("abc", { 1 }, "f32") end)
  end)

  it("reads one element", function()
    assert.are.equal(5, A.full({ 1, 1 }, 5, "u8"):item())
    assert.has_error(function() A.new({ 2 }):item() end, "item: shape {2} has not one element")
  end)
end)

describe("views", function()
  local a = A.arange(0, 24):reshape { 2, 3, 4 }

  it("share memory", function()
    local b = A.full({ 2, 3 }, 0)
    b:permute({ 2, 1 }):select(1, 2):fill_(5)
    same({ 0, 5, 0, 0, 5, 0 }, b, "fill through a view")
    assert.are.equal(b:pointer(), b:reshape({ 6 }):pointer())
  end)

  it("reshape with and without a copy", function()
    assert.same({ 4, 6 }, a:reshape({ 4, -1 }):shape())
    local t = a:permute { 2, 1, 3 }
    same(t:contiguous():totable(), t:reshape { 3, 8 }, "reshape of a permuted array")
    assert.are.equal(t:pointer(), t:reshape({ 3, 2, 2, 2 }):pointer())
    same(t:contiguous():totable(), t:reshape { 3, 2, 2, 2 }, "split only")
    assert.same({ 0, 7 }, A.new({ 7, 0 }):reshape({ 0, 7 }):shape())
    assert.has_error(function() a:reshape { 5, 5 } end,
      "reshape: {2, 3, 4} does not go into {5, 5}")
    assert.has_error(function() a:reshape { -1, -1 } end)
    assert.has_error(function() A.new({ 0 }):reshape { 0, -1 } end)
  end)

  it("narrow and select", function()
    same({ 5, 7, 17, 19 }, a:select(2, 2):narrow(2, 2, 2, 2), "narrow")
    same({ 23 }, a:select(1, -1):select(1, -1):select(1, -1), "from the end")
    assert.are.equal(0, a:narrow(1, 3, 0):numel())
    assert.has_error(function() a:narrow(1, 2, 2) end)
    assert.has_error(function() a:narrow(1, 1, 2, 2) end)
    assert.has_error(function() a:narrow(1, 0, 1) end)
    assert.has_error(function() a:select(3, 5) end,
      "select: index 5 is not in dimension 3 of {2, 3, 4}")
    assert.has_error(function() a:select(4, 1) end, "no dimension 4 in shape {2, 3, 4}")
    assert.has_error(function() a:permute { 1, 2 } end)
    assert.has_error(function() a:permute { 1, 1, 2 } end)
  end)

  it("expand, and cannot be written then", function()
    local e = A.from({ 1, 2 }):expand { 3, 2 }
    same({ 1, 2, 1, 2, 1, 2 }, e, "expand")
    assert.has_error(function() e:fill_(0) end,
      "fill_: cannot write into an expanded array of shape {3, 2} (clone it first)")
    assert.has_error(function() A.binary("add", e, 1, e) end)
    assert.has_error(function() A.new({ 2 }):expand { 3 } end)
  end)
end)

describe("copies", function()
  it("convert between all dtypes", function()
    local values = { 0, 1, 2, 100, 200 }
    for _, from in ipairs { "f32", "f64", "bf16", "u8", "i32", "i64" } do
      for _, to in ipairs { "f32", "f64", "bf16", "u8", "i32", "i64" } do
        same(values, A.from(values, nil, from):cast(to), from .. " to " .. to)
      end
    end
  end)

  it("saturate, and round bf16 to even", function()
    local odd = A.from({ -5, 300, 1e30, -1e30, 0 / 0, 1 / 0, 2.9, -2.9 }, nil, "f64")
    for _, from in ipairs { "f32", "f64" } do
      local a = odd:cast(from)
      same({ 0, 255, 255, 0, 0, 255, 2, 0 }, a:cast("u8"), "u8")
      same({ -5, 300, 2 ^ 31 - 1, -2 ^ 31, 0, 2 ^ 31 - 1, 2, -2 }, a:cast("i32"), "i32")
      same({ -5, 300, 2 ^ 63, -2 ^ 63, 0, 2 ^ 63, 2, -2 }, a:cast("i64"), "i64")
    end
    same({ 1, 1.0078125, 1, 1.015625, 0 / 0, 1 / 0 },
      A.from({ 1, 1.0078125, 1.00390625, 1.01171875, 0 / 0, 1 / 0 }):cast("bf16"), "bf16")
  end)

  it("of views are what the views show", function()
    for _, dtype in ipairs { "f32", "f64", "u8", "i64" } do
      for i, v in ipairs(views("f64")) do
        v = v:cast(dtype)
        same(map(function(x) return x end, v:shape(), v), v:clone(), "view " .. i)
      end
    end
    local t = normal({ 300, 200 }, "f32")
    local back = t:permute({ 2, 1 }):contiguous():permute({ 2, 1 })
    same(t:totable(), back, "transposed twice")
  end)

  it("copy_ broadcasts, converts and minds overlap", function()
    local a = A.full({ 2, 3 }, 0)
    same({ 1, 2, 3, 1, 2, 3 }, a:copy_(A.from({ 1, 2, 3 }, nil, "i32")), "copy_")
    assert.has_error(function() a:copy_(A.new { 2 }) end)
    assert.has_error(function() A.new({ 3 }):copy_(a) end)
    local b = A.arange(0, 6)
    b:narrow(1, 2, 5):copy_(b:narrow(1, 1, 5))
    same({ 0, 0, 1, 2, 3, 4 }, b, "shifted onto itself")
    local m = A.arange(0, 9):reshape { 3, 3 }
    m:copy_(m:permute { 2, 1 })
    same({ 0, 3, 6, 1, 4, 7, 2, 5, 8 }, m, "transposed onto itself")
  end)

  it("concat, flip, pad", function()
    local a, b = A.arange(0, 6):reshape { 2, 3 }, A.arange(6, 10):reshape { 2, 2 }
    same({ 0, 1, 2, 6, 7, 3, 4, 5, 8, 9 }, A.concat({ a, b }, 2), "concat")
    same({ 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5 }, A.concat({ a, a }, 1), "concat")
    assert.has_error(function() A.concat({ a, b }, 1) end,
      "concat: shapes {2, 3} and {2, 2} do not join along dimension 1")
    assert.has_error(function() A.concat({ a, b:cast("f64") }, 2) end)
    assert.has_error(function() A.concat({}, 1) end)
    same({ 5, 4, 3, 2, 1, 0 }, A.flip(a), "flip")
    same({ 2, 1, 0, 5, 4, 3 }, A.flip(a, { 2 }), "flip columns")
    same({ 0, 3, 1, 4, 2, 5 }, A.flip(A.flip(a:permute { 2, 1 }, 1), 1), "flip a view")
    same({ 7, 7, 7, 7, 1, 2, 7, 7, 4, 5, 7, 7 }, A.pad(a, { { 1, 0 }, { -1, 2 } }, 7), "pad")
    same({}, A.pad(a, { { -1, -1 }, { 0, 0 } }), "pad away")
    assert.has_error(function() A.pad(a, { { -3, 0 }, { 0, 0 } }) end)
    assert.has_error(function() A.pad(a, { { 1, 0 } }) end)
  end)
end)

-- ---- element by element ------------------------------------------------------------------------

local function trunc(x) return x < 0 and math.ceil(x) or math.floor(x) end
local function rint(x)
  local r = math.floor(x + 0.5)
  return x + 0.5 == r and r % 2 == 1 and r - 1 or r
end

local unary = {
  { "neg", function(x) return -x end },
  { "abs", math.abs },
  { "sign", function(x) return x > 0 and 1 or x < 0 and -1 or x end },
  { "square", function(x) return x * x end },
  { "exp", math.exp },
  { "expm1", function(x) return math.exp(x) - 1 end },
  { "log", function(x) return math.log(x) end, positive = true },
  { "log1p", function(x) return math.log(1 + x) end, positive = true },
  { "sqrt", math.sqrt, positive = true },
  { "rsqrt", function(x) return 1 / math.sqrt(x) end, positive = true },
  { "reciprocal", function(x) return 1 / x end, positive = true },
  { "sin", math.sin },
  { "cos", math.cos },
  { "tanh", math.tanh },
  { "sigmoid", function(x) return 1 / (1 + math.exp(-x)) end },
  { "softplus", function(x) return math.log(1 + math.exp(x)) end },
  { "relu", function(x) return x > 0 and x or x ~= x and x or 0 end },
  { "floor", math.floor },
  { "ceil", math.ceil },
  { "round", rint },
  { "trunc", trunc },
  { "isnan", function(x) return x ~= x and 1 or 0 end },
  { "isfinite", function(x) return x - x == 0 and 1 or 0 end },
  { "logical_not", function(x) return x == 0 and 1 or 0 end },
}

local binary = {
  { "add", function(x, y) return x + y end },
  { "sub", function(x, y) return x - y end },
  { "mul", function(x, y) return x * y end },
  { "div", function(x, y) return x / y end, float = true },
  { "max", function(x, y) return math.max(x, y) end },
  { "min", function(x, y) return math.min(x, y) end },
  { "fmod", math.fmod, float = true },
  { "atan2", math.atan2, float = true },
  { "leaky_relu", function(x, y) return x > 0 and x or x * y end, float = true },
  { "tanh_grad", function(y, d) return d * (1 - y * y) end, float = true },
  { "sigmoid_grad", function(y, d) return d * y * (1 - y) end, float = true },
  { "eq", function(x, y) return x == y and 1 or 0 end },
  { "ne", function(x, y) return x ~= y and 1 or 0 end },
  { "lt", function(x, y) return x < y and 1 or 0 end },
  { "le", function(x, y) return x <= y and 1 or 0 end },
  { "gt", function(x, y) return x > y and 1 or 0 end },
  { "ge", function(x, y) return x >= y and 1 or 0 end },
}

describe("functions of one operand", function()
  for _, op in ipairs(unary) do
    it(op[1], function()
      for _, dtype in ipairs { "f32", "f64" } do
        for i, v in ipairs(views(dtype)) do
          if op.positive then v = A.binary("add", A.unary("abs", v), 0.1) end
          local out = A.unary(op[1], v)
          close(map(op[2], v:shape(), v), out, eps[dtype], op[1] .. " " .. dtype .. " view " .. i)
        end
      end
    end)
  end

  it("hand NaN on and know infinity", function()
    local inf, nan = 1 / 0, 0 / 0
    local x = { nan, inf, -inf, 0 }
    local expected = {
      exp = { nan, inf, 0, 1 }, expm1 = { nan, inf, -1, 0 }, log = { nan, inf, nan, -inf },
      log1p = { nan, inf, nan, 0 }, tanh = { nan, 1, -1, 0 }, sigmoid = { nan, 1, 0, 0.5 },
      softplus = { nan, inf, 0, math.log(2) }, relu = { nan, inf, 0, 0 },
      sqrt = { nan, inf, nan, 0 }, rsqrt = { nan, 0, nan, inf }, erf = { nan, 1, -1, 0 },
      floor = { nan, inf, -inf, 0 }, round = { nan, inf, -inf, 0 }, sign = { nan, 1, -1, 0 },
    }
    for _, name in ipairs { "exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "relu",
      "sqrt", "rsqrt", "erf", "floor", "round", "sign" } do
      for _, dtype in ipairs { "f32", "f64" } do
        close(expected[name], A.unary(name, A.from(x, nil, dtype)), eps[dtype], name .. dtype)
      end
    end
  end)

  it("work on integers where that makes sense", function()
    local a = A.from({ -3, 0, 5 }, nil, "i64")
    same({ 3, 0, -5 }, A.unary("neg", a), "neg")
    same({ 3, 0, 5 }, A.unary("abs", a), "abs")
    same({ -1, 0, 1 }, A.unary("sign", a), "sign")
    same({ 0, 1, 0 }, A.unary("logical_not", a), "logical_not")
    assert.has_error(function() A.unary("exp", a) end,
      "exp: not defined for i64; cast to f32 or f64 first")
    assert.has_error(function() A.unary("neg", a:cast("bf16")) end,
      "neg: bf16 is for storage only; cast to f32 first")
    assert.has_error(function() A.unary("nag", a) end, "unknown unary operation 'nag'")
  end)

  it("write where they are told", function()
    local a = normal({ 4, 5 }, "f32")
    local expected = A.unary("exp", a):totable()
    same(expected, A.unary("exp", a, a), "in place")
    same(expected, a, "in place")
    local b = A.full({ 5, 4 }, 0)
    A.unary("neg", a, b:permute { 2, 1 })
    same(A.unary("neg", a):totable(), b:permute { 2, 1 }, "into a view")
    assert.has_error(function() A.unary("neg", a, A.new { 5, 4 }) end)
    assert.has_error(function() A.unary("isnan", a, a) end)
  end)
end)

describe("functions of two operands", function()
  local shapes = {
    { { 3, 5, 7 }, { 7 } }, { { 3, 5, 7 }, { 5, 1 } }, { { 3, 1, 7 }, { 5, 1 } },
    { { 2, 4, 4, 3 }, { 2, 1, 1, 3 } }, { { 2, 4, 4, 3 }, { 1, 4, 4, 1 } }, { {}, { 4 } },
    { { 2, 3, 100 }, { 100 } }, { { 2, 3, 100 }, { 2, 1, 100 } }, { { 2, 3, 100 }, { 3, 1 } },
    { { 0, 3 }, { 3 } }, { { 2, 3, 1, 2 }, { 3, 5, 2 } }, { { 3, 5, 7 }, { 3, 5, 7 } },
  }
  for _, op in ipairs(binary) do
    it(op[1], function()
      for _, dtype in ipairs { "f32", "f64", "i64", "i32" } do
        local integer = dtype == "i64" or dtype == "i32"
        if not (integer and op.float) then
          for i, pair in ipairs(shapes) do
            local a, b = normal(pair[1]), normal(pair[2])
            if integer then a, b = A.binary("mul", a, 5), A.binary("mul", b, 5) end
            a, b = a:cast(dtype), b:cast(dtype)
            local what = op[1] .. " " .. dtype .. " shapes " .. i
            local shape = broadcast(pair[1], pair[2])
            close(map(op[2], shape, a, b), A.binary(op[1], a, b), eps[dtype] or 0, what)
            close(map(op[2], shape, b, a), A.binary(op[1], b, a), eps[dtype] or 0, what)
          end
        end
      end
      for i, v in ipairs(views("f64")) do
        for k, w in ipairs(views("f64")) do
          close(map(op[2], v:shape(), v, w), A.binary(op[1], v, w), 1e-13,
            ("%s views %d %d"):format(op[1], i, k))
        end
        local n = A.full({}, 0.75, "f64")
        close(map(op[2], v:shape(), v, n), A.binary(op[1], v, 0.75), 1e-13, "number right")
        close(map(op[2], v:shape(), n, v), A.binary(op[1], 0.75, v), 1e-13, "number left")
      end
    end)
  end

  it("pow", function()
    local a = A.binary("add", A.unary("abs", normal({ 50 })), 0.1)
    for _, y in ipairs { 2, 0.5, -1, 3, 1.7, 0 } do
      local expected = map(function(x) return x ^ y end, { 50 }, a)
      close(expected, A.binary("pow", a, y), 1e-13, "pow")
      close(expected, A.binary("pow", a:cast("f32"), y), 1e-5, "pow")
    end
    same({ 4, -8, 1, 9, -27, 1 }, A.concat({ A.binary("pow", A.from { -2 }, 2),
      A.binary("pow", A.from { -2 }, 3), A.binary("pow", A.from { -2 }, 0),
      A.binary("pow", A.from { -3 }, 2), A.binary("pow", A.from { -3 }, 3),
      A.binary("pow", A.from { -3 }, 0) }, 1), "negative bases")
  end)

  it("hand NaN on in max and min", function()
    local nan = 0 / 0
    local a, b = A.from { nan, 1, nan, 2 }, A.from { 1, nan, nan, 3 }
    same({ nan, nan, nan, 3 }, A.binary("max", a, b), "max")
    same({ nan, nan, nan, 2 }, A.binary("min", a, b), "min")
    same({ nan, 1 }, A.binary("max", A.from { nan, 0 }, 1), "max")
  end)

  it("wrap integers", function()
    same({ 0 }, A.binary("add", A.from({ 255 }, nil, "u8"), 1), "u8")
    same({ -2 ^ 31 }, A.binary("add", A.from({ 2 ^ 31 - 1 }, nil, "i32"), 1), "i32")
  end)

  it("name what does not fit", function()
    local a = A.new { 2, 3 }
    assert.has_error(function() A.binary("add", a, A.new { 4 }) end,
      "add: shapes {2, 3} and {4} do not broadcast")
    assert.has_error(function() A.binary("mul", a, A.new({ 3 }, "f64")) end,
      "mul: dtypes f32 and f64 differ; cast one of them")
    assert.has_error(function() A.binary("add", 1, 2) end)
    assert.has_error(function() A.binary("add", A.new({ 2 }, "i32"), 0.5) end,
      "number 0.5 does not fit into i32")
    assert.has_error(function() A.binary("div", A.new({ 2 }, "i32"), 2) end)
    assert.has_error(function() A.binary("add", a, A.new { 5, 2, 3 }, a) end)
  end)

  it("write in place over views of themselves", function()
    local a = A.arange(0, 5)
    A.binary("add", a:narrow(1, 2, 4), a:narrow(1, 1, 4), a:narrow(1, 2, 4))
    same({ 0, 1, 3, 5, 7 }, a, "shifted")
    local m = A.arange(0, 4):reshape { 2, 2 }
    A.binary("add", m, m:permute { 2, 1 }, m)
    same({ 0, 3, 3, 6 }, m, "transposed")
  end)
end)

describe("functions of three operands", function()
  it("where", function()
    for _, dtype in ipairs { "f32", "f64", "u8", "i32", "i64" } do
      local c = A.binary("gt", normal { 4, 5, 1 }, 0)
      local a = A.integers(g, 0, 100, { 5, 6 }, dtype)
      local b = A.integers(g, 0, 100, { 4, 1, 6 }, dtype)
      local f = function(x, y, z) if x ~= 0 then return y end return z end
      same(map(f, { 4, 5, 6 }, c, a, b), A.ternary("where", c, a, b), "where")
      same(map(f, { 4, 5, 6 }, c, a, A.from({ 7 }, {}, dtype)), A.ternary("where", c, a, 7),
        "number last")
      same(map(f, { 4, 5, 6 }, c, A.from({ 7 }, {}, dtype), b), A.ternary("where", c, 7, b),
        "number first")
    end
    assert.has_error(function() A.ternary("where", A.new { 2 }, 1, A.new { 2 }) end,
      "where: the condition is f32; it must be u8")
  end)

  it("addcmul, leaky_relu_grad, tanh_grad, sigmoid_grad", function()
    for _, dtype in ipairs { "f32", "f64" } do
      for i, v in ipairs(views(dtype)) do
        local b, c = normal({ 5, 7 }, dtype), normal({ 3, 1, 7 }, dtype)
        close(map(function(x, y, z) return x + y * z end, { 3, 5, 7 }, v, b, c),
          A.ternary("addcmul", v, b, c), eps[dtype], "addcmul view " .. i)
        close(map(function(x, y) return x > 0 and y or 0.2 * y end, { 3, 5, 7 }, v, b),
          A.ternary("leaky_relu_grad", v, b, 0.2), eps[dtype], "leaky_relu_grad view " .. i)
        same(A.binary("tanh_grad", v, b):totable(), A.ternary("tanh_grad", v, b), "tanh_grad")
        local sum = A.ternary("addcmul", v, b, c)
        local to = v:clone()
        assert.are.equal(to, A.ternary("addcmul", to, b, c, to))
        same(sum:totable(), to, "addcmul in place")
        assert.has_error(function() A.ternary("addcmul", b, v, c, b) end)
      end
    end
  end)
end)

-- ---- reductions --------------------------------------------------------------------------------

local folds = {
  { "sum", 0, function(s, x) return s + x end },
  { "sumsq", 0, function(s, x) return s + x * x end },
  { "prod", 1, function(s, x) return s * x end },
  { "max", -1 / 0, function(s, x) return math.max(s, x) end },
  { "min", 1 / 0, function(s, x) return math.min(s, x) end },
  { "any", 0, function(s, x) return (s ~= 0 or x ~= 0) and 1 or 0 end },
  { "all", 1, function(s, x) return (s ~= 0 and x ~= 0) and 1 or 0 end },
}

local function fold(f, first, a, dims)
  local shape, values, kept, out = a:shape(), a:totable(), a:shape(), {}
  for _, d in ipairs(dims) do kept[d] = 1 end
  for k = 1, product(kept) do out[k] = first end
  for k = 0, #values - 1 do
    local p = position(coordinates(k, shape), kept) + 1
    out[p] = f(out[p], values[k + 1])
  end
  return out, kept
end

local dim_sets = { {}, { 1 }, { 2 }, { 3 }, { 1, 2 }, { 1, 3 }, { 2, 3 }, { 1, 2, 3 } }

describe("reductions", function()
  for _, op in ipairs(folds) do
    it(op[1], function()
      for _, dtype in ipairs { "f32", "f64", "i32", "i64", "u8" } do
        local arrays = views("f64")
        arrays[#arrays + 1] = normal { 70, 2, 3 }
        arrays[#arrays + 1] = normal { 2, 3, 150 }
        for i, v in ipairs(arrays) do
          if dtype == "u8" then v = A.unary("abs", v) end
          v = (dtype == "f32" or dtype == "f64") and v:cast(dtype)
            or A.binary("mul", v, 1.5):cast(dtype)
          for _, dims in ipairs(dim_sets) do
            local expected, kept = fold(op[3], op[2], v, dims)
            local out = A.reduce(op[1], v, dims, true)
            local what = ("%s %s array %d over %s"):format(op[1], dtype, i, table.concat(dims, ","))
            assert.same(kept, out:shape(), what)
            close(expected, out, dtype == "f32" and 1e-5 or dtype == "f64" and 1e-12 or 0, what)
          end
        end
      end
    end)
  end

  it("give the right dtypes and shapes", function()
    local u, i = A.full({ 2, 3 }, 200, "u8"), A.full({ 2, 3 }, -7, "i32")
    assert.are.equal("i64", A.reduce("sum", u):dtype())
    assert.are.equal(1200, A.reduce("sum", u):item())
    assert.are.equal("i64", A.reduce("sum", i):dtype())
    assert.are.equal("u8", A.reduce("max", u):dtype())
    assert.are.equal("u8", A.reduce("any", i):dtype())
    assert.same({}, A.reduce("sum", u):shape())
    assert.same({ 3 }, A.reduce("sum", u, 1):shape())
    assert.same({ 2, 1 }, A.reduce("sum", u, -1, true):shape())
    assert.has_error(function() A.reduce("mean", i) end,
      "mean: not defined for i32; cast to f32 or f64 first")
    assert.has_error(function() A.reduce("sum", u, 3) end, "no dimension 3 in shape {2, 3}")
    assert.has_error(function() A.reduce("sum", A.new({ 2 }, "bf16")) end)
  end)

  it("of nothing", function()
    local a = A.new { 0, 3 }
    same({ 0 }, A.reduce("sum", a), "sum")
    same({ 1, 1, 1 }, A.reduce("prod", a, 1), "prod")
    same({}, A.reduce("sum", a, 2), "no rows")
    same({ 0 / 0 }, A.reduce("mean", a), "mean")
    assert.has_error(function() A.reduce("max", a, 1) end,
      "max: nothing to compare in shape {0, 3}")
    same({}, A.reduce("max", a, 2), "max of no rows")
  end)

  it("mean, accurately over many", function()
    for _, shape in ipairs { { 1000003 }, { 1001, 999 }, { 999, 1001 }, { 70000, 7 } } do
      local n = product(shape)
      local a = A.full(shape, 0.1)
      local exact = A.full({ 1 }, 0.1):item()
      for _, dims in ipairs { {}, { 1 }, { 2 }, { 1, 2 } } do
        if #shape == 2 or #dims == 0 then
          local mean = A.reduce("mean", a, #dims > 0 and dims or nil)
          assert.is_true(math.abs(A.reduce("max", mean):item() - exact) < 1e-8)
          assert.is_true(math.abs(A.reduce("min", mean):item() - exact) < 1e-8)
        end
      end
      assert.is_true(math.abs(A.reduce("sum", a):item() / (n * exact) - 1) < 1e-7)
    end
  end)

  it("hand NaN on", function()
    local a = A.full({ 300 }, 1)
    a:narrow(1, 200, 1):fill_(0 / 0)
    for _, op in ipairs { "sum", "max", "min", "prod", "mean" } do
      local v = A.reduce(op, a):item()
      assert.is_true(v ~= v, op)
    end
  end)
end)

describe("order", function()
  it("argmax and argmin", function()
    for _, dtype in ipairs { "f32", "f64", "i64" } do
      for i, v in ipairs(views("f64")) do
        v = A.binary("mul", v, 3):cast(dtype)
        for d = 1, 3 do
          for _, op in ipairs { "argmax", "argmin" } do
            local index = A[op](v, d, true)
            local extreme = A.reduce(op == "argmax" and "max" or "min", v, d, true)
            same(extreme:totable(), A.gather(v, d, index), ("%s view %d"):format(op, i))
          end
        end
      end
    end
    assert.are.equal(2, A.argmax(A.from { 1, 3, 3 }, 1):item())
    assert.are.equal(2, A.argmin(A.from { 1, 0 / 0, -3 }, 1):item())
    assert.are.equal(5, A.argmax(A.from({ 1, 3, 3, 2, 9, 1 }, { 2, 3 })):item())
    assert.has_error(function() A.argmax(A.new { 0 }, 1) end)
  end)

  it("sort", function()
    for i, v in ipairs(views("f64")) do
      v = A.unary("round", A.binary("mul", v, 2))
      for d = 1, 3 do
        for _, descending in ipairs { false, true } do
          local values, index = A.sort(v, d, descending)
          local what = ("view %d dim %d"):format(i, d)
          same(values:totable(), A.gather(v, d, index), what)
          local n = values:shape()[d]
          local low, high = values:narrow(d, 1, n - 1), values:narrow(d, 2, n - 1)
          local ordered = A.binary(descending and "ge" or "le", low, high)
          assert.are.equal(1, A.reduce("all", ordered):item(), what)
          local ties = A.binary("eq", low, high)
          local later = A.binary("gt", index:narrow(d, 2, n - 1), index:narrow(d, 1, n - 1))
          local stable = A.reduce("all", A.binary("ge", later, ties)):item()
          assert.are.equal(1, stable, what)
        end
      end
    end
    same({ 1, 2, 0 / 0 }, (A.sort(A.from { 2, 0 / 0, 1 }, 1)), "NaN last")
    same({ 0 / 0, 2, 1 }, (A.sort(A.from { 2, 0 / 0, 1 }, 1, true)), "NaN first")
  end)

  it("sort of long rows, which goes by their bits, as that of short ones", function()
    local x = A.normal(A.generator(1), { 2, 3000 }, "f32")
    x = A.binary("div", A.unary("round", A.binary("mul", x, 300)), 64) -- with ties
    local odd = A.from { 0 / 0, -0.0, 1 / 0, 0, -1 / 0, -(0 / 0), 1e-40, -1e-40, -0.0, 0 }
    A.copy_(A.narrow(A.select(x, 1, 1), 1, 1001, 10), odd)
    A.copy_(A.narrow(A.select(x, 1, 1), 1, 2001, 10), odd)
    for _, dim in ipairs { 2, 1 } do
      for _, descending in ipairs { false, true } do
        local rows = dim == 2 and x or A.permute(x, { 2, 1 })
        local values, index = A.sort(rows, dim, descending)
        local _, expected = A.sort(A.cast(rows, "f64"), dim, descending)
        same(expected:totable(), index, "places")
        assert.are.equal(A.tostring(A.gather(rows, dim, index)), A.tostring(values))
      end
    end
  end)

  it("cumsum", function()
    local a = A.arange(1, 7):reshape { 2, 3 }
    same({ 1, 3, 6, 4, 9, 15 }, A.cumsum(a, 2), "rows")
    same({ 1, 2, 3, 5, 7, 9 }, A.cumsum(a, 1), "columns")
    local u = A.cumsum(A.full({ 3 }, 200, "u8"), 1)
    assert.are.equal("i64", u:dtype())
    same({ 200, 400, 600 }, u, "u8")
  end)
end)

describe("matmul", function()
  local function reference(a, b)
    local sa, sb, va, vb = a:shape(), b:shape(), a:totable(), b:totable()
    local m, k, n, out = sa[1], sa[2], sb[2], {}
    for i = 0, m - 1 do
      for j = 0, n - 1 do
        local s = 0
        for l = 0, k - 1 do s = s + va[i * k + l + 1] * vb[l * n + j + 1] end
        out[i * n + j + 1] = s
      end
    end
    return out
  end

  it("of every pair of layouts", function()
    for _, dtype in ipairs { "f32", "f64" } do
      for _, s in ipairs { { 1, 1, 1 }, { 3, 5, 7 }, { 1, 9, 4 }, { 6, 1, 5 }, { 5, 8, 1 },
        { 150, 3, 2 }, { 2, 3, 1100 }, { 5, 40, 1100 } } do
        local m, k, n = s[1], s[2], s[3]
        local lefts = { normal({ m, k }, dtype), normal({ k, m }, dtype):permute { 2, 1 },
          normal({ m, 2 * k }, dtype):narrow(2, 2, k, 2),
          normal({ m, k + 3 }, dtype):narrow(2, 2, k),
          normal({ 1, k }, dtype):expand { m, k } }
        local rights = { normal({ k, n }, dtype), normal({ n, k }, dtype):permute { 2, 1 },
          normal({ k, n + 2 }, dtype):narrow(2, 1, n), normal({ k, 1 }, dtype):expand { k, n } }
        for i, a in ipairs(lefts) do
          for j, b in ipairs(rights) do
            local what = ("%s %dx%dx%d layouts %d %d"):format(dtype, m, k, n, i, j)
            local expected = reference(a, b)
            local tolerance = dtype == "f32" and 1e-5 or 1e-13
            local at, bt = a:permute { 2, 1 }, b:permute { 2, 1 }
            close(expected, A.matmul(a, b), tolerance, what)
            close(expected, A.matmul(at, b, true), tolerance, what)
            close(expected, A.matmul(a, bt, false, true), tolerance, what)
            close(expected, A.matmul(at:clone(), bt:clone(), true, true), tolerance, what)
          end
        end
      end
    end
  end)

  it("in batches", function()
    local shapes = {
      { { 4, 3, 5 }, { 4, 5, 2 } }, { { 4, 3, 5 }, { 5, 2 } }, { { 3, 5 }, { 4, 5, 2 } },
      { { 2, 1, 3, 5 }, { 3, 5, 2 } }, { { 0, 3, 5 }, { 5, 2 } },
    }
    for _, pair in ipairs(shapes) do
      local a, b = normal(pair[1]), normal(pair[2])
      local out = A.matmul(a, b)
      local shape = out:shape()
      local batch = { unpack(shape, 1, #shape - 2) }
      local function matrix(x, c)
        local s = x:shape()
        for d = 1, #s - 2 do x = x:select(1, s[d] == 1 and 1 or c[d + #c - (#s - 2)] + 1) end
        return x
      end
      for k = 0, product(batch) - 1 do
        local c = coordinates(k, batch)
        close(reference(matrix(a, c), matrix(b, c)), matrix(out, c), 1e-13, "batch")
      end
    end
  end)

  it("of nothing, and misfits", function()
    same({ 0, 0, 0, 0, 0, 0 }, A.matmul(A.new { 2, 0 }, A.new { 0, 3 }), "inner size 0")
    assert.same({ 0, 3 }, A.matmul(A.new { 0, 2 }, A.new { 2, 3 }):shape())
    assert.has_error(function() A.matmul(A.new { 2, 3 }, A.new { 2, 3 }) end,
      "matmul: shapes {2, 3} and {2, 3} do not fit")
    assert.has_error(function() A.matmul(A.new { 3 }, A.new { 3 }) end)
    assert.has_error(function() A.matmul(A.new({ 2, 2 }, "i32"), A.new({ 2, 2 }, "i32")) end)
  end)
end)

describe("indexing", function()
  local function indices(n, count, dtype) return A.integers(g, 1, n + 1, count, dtype or "i64") end

  it("index_select and index_add_", function()
    for i, v in ipairs(views("f64")) do
      for d = 1, 3 do
        local idx = indices(v:shape()[d], { 9 }, d == 2 and "i32" or "i64")
        local list, picked = idx:totable(), A.index_select(v, d, idx)
        for k = 1, 9 do
          same(v:select(d, list[k]):totable(), picked:select(d, k), "select view " .. i)
        end
        local target = i == 4 and v:clone() or v
        local expected = target:clone()
        for k = 1, 9 do
          local slice = expected:select(d, list[k])
          A.binary("add", slice, picked:select(d, k), slice)
        end
        A.index_add_(target, d, idx, picked)
        close(expected:totable(), target, 1e-13, "index_add_")
      end
    end
    local a = A.new { 2, 3 }
    assert.has_error(function() A.index_select(a, 2, A.from({ 0 }, nil, "i64")) end,
      "index_select: index 0 is not in dimension 2 of {2, 3}")
    assert.has_error(function() A.index_select(a, 2, A.from { 1 }) end,
      "index_select: indices are f32; they must be i64 or i32")
    assert.has_error(function() A.index_add_(a, 2, A.from({ 1 }, nil, "i64"), A.new { 2, 2 }) end,
      "index_add_: source has shape {2, 2}; {2, 1} expected")
  end)

  it("gather and scatter_add_", function()
    for i, v in ipairs(views("f64")) do
      for d = 1, 3 do
        local shape = { 2, 4, 6 }
        shape[d] = 9
        local idx = indices(v:shape()[d], shape)
        local list, values, from = idx:totable(), v:totable(), v:shape()
        local out, expected = A.gather(v, d, idx), {}
        local target, sums = A.full({ 3, 5, 7 }, 0, "f64"), {}
        for k = 1, 105 do sums[k] = 0 end
        for k = 0, #list - 1 do
          local c = coordinates(k, shape)
          c[d] = list[k + 1] - 1
          local p = position(c, from) + 1
          expected[k + 1] = values[p]
          sums[p] = sums[p] + values[p]
        end
        same(expected, out, "gather view " .. i)
        close(sums, A.scatter_add_(target, d, idx, out), 1e-13, "scatter_add_ view " .. i)
      end
    end
    local a = A.new { 2, 3 }
    assert.has_error(function() A.gather(a, 1, A.from({ 1, 1, 1, 1 }, { 1, 4 }, "i64")) end)
    assert.has_error(function() A.gather(a, 1, A.from({ 3 }, { 1, 1 }, "i64")) end,
      "gather: index 3 is not in dimension 1 of {2, 3}")
  end)
end)

describe("random numbers", function()
  it("depend on seed and position alone", function()
    local a, b = A.generator(5), A.generator("5")
    same(A.normal(a, { 1000 }):totable(), A.normal(b, { 1000 }), "normal")
    local seed, counter = A.generator_state(a)
    assert.are.equal("5", seed)
    local next_ones = A.uniform(a, { 10 }):totable()
    same(next_ones, A.uniform(A.set_generator_state(b, seed, counter), { 10 }), "state")
    assert.has_error(function() A.generator("x") end)
    local largest = "18446744073709551615"
    assert.are.equal(largest, (A.generator_state(A.generator(largest))))
  end)

  it("have the right moments", function()
    local r = A.generator(1)
    for _, dtype in ipairs { "f32", "f64" } do
      local n = A.normal(r, { 200000 }, dtype)
      assert.is_true(math.abs(A.reduce("mean", n):item()) < 0.01)
      assert.is_true(math.abs(A.reduce("sumsq", n):item() / 200000 - 1) < 0.02)
      local u = A.uniform(r, { 200000 }, dtype)
      assert.is_true(math.abs(A.reduce("mean", u):item() - 0.5) < 0.005)
      assert.is_true(A.reduce("min", u):item() >= 0 and A.reduce("max", u):item() < 1)
    end
  end)

  it("integers and permutations", function()
    local r = A.generator(2)
    local i = A.integers(r, -3, 4, { 7000 }, "i32")
    for v = -3, 3 do
      local count = A.reduce("sum", A.binary("eq", i, v)):item()
      assert.is_true(count > 800 and count < 1200)
    end
    assert.are.equal(7000, A.reduce("sum", A.ternary("where", A.binary("lt", i, 4), 1, i)):item())
    local p = A.permutation(r, 100)
    same(A.arange(1, 101):totable(), (A.sort(p, 1)), "permutation")
    assert.has_error(function() A.integers(r, 3, 3, { 1 }) end)
    assert.has_error(function() A.integers(r, 0, 300, { 1 }, "u8") end)
    assert.has_error(function() A.normal(r, { 2 }, "i32") end)
  end)
end)

describe("training steps", function()
  -- The formulas of PyTorch's documentation, in plain Lua.
  local function adam(p, gr, m, v, o)
    for i = 1, #p do
      local d = gr[i]
      if o.decoupled then p[i] = p[i] * (1 - o.lr * o.weight_decay)
      else d = d + o.weight_decay * p[i] end
      m[i] = o.beta1 * m[i] + (1 - o.beta1) * d
      v[i] = o.beta2 * v[i] + (1 - o.beta2) * d * d
      local mh, vh = m[i] / (1 - o.beta1 ^ o.step), v[i] / (1 - o.beta2 ^ o.step)
      p[i] = p[i] - o.lr * mh / (math.sqrt(vh) + o.eps)
    end
  end

  local function sgd(p, gr, b, o)
    for i = 1, #p do
      local d = gr[i] + o.weight_decay * p[i]
      if o.momentum ~= 0 then
        b[i] = o.first and d or o.momentum * b[i] + (1 - o.dampening) * d
        d = o.nesterov and d + o.momentum * b[i] or b[i]
      end
      p[i] = p[i] - o.lr * d
    end
  end

  local function rmsprop(p, gr, s, b, a, o)
    for i = 1, #p do
      local d = gr[i] + o.weight_decay * p[i]
      s[i] = o.alpha * s[i] + (1 - o.alpha) * d * d
      local var = s[i]
      if o.centered then
        a[i] = o.alpha * a[i] + (1 - o.alpha) * d
        var = var - a[i] * a[i]
      end
      local move = d / (math.sqrt(var) + o.eps)
      if o.momentum > 0 then
        b[i] = o.momentum * b[i] + move
        move = b[i]
      end
      p[i] = p[i] - o.lr * move
    end
  end

  local function run(count, step, plain, option_sets)
    for _, dtype in ipairs { "f32", "f64" } do
      for k, o in ipairs(option_sets) do
        local p = normal({ 9, 5 }, dtype)
        local buffers, lists, values = {}, {}, p:totable()
        for i = 1, count do
          buffers[i] = A.full({ 9, 5 }, 0, dtype)
          lists[i] = buffers[i]:totable()
        end
        for t = 1, 4 do
          local gr = normal({ 5, 9 }, dtype):permute { 2, 1 }
          o.step, o.first = t, t == 1
          buffers[count + 1], lists[count + 1] = o, o
          assert.are.equal(p, step(p, gr, unpack(buffers, 1, count + 1)))
          plain(values, gr:totable(), unpack(lists, 1, count + 1))
          close(values, p, dtype == "f32" and 2e-5 or 1e-12, ("options %d step %d"):format(k, t))
        end
      end
    end
  end

  it("Adam and AdamW", function()
    run(2, A.adam_step_, adam, {
      { lr = 0.1, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0 },
      { lr = 0.1, beta1 = 0.5, beta2 = 0.9, eps = 1e-3, weight_decay = 0.1 },
      { lr = 0.1, beta1 = 0.5, beta2 = 0.9, eps = 1e-8, weight_decay = 0.1, decoupled = true },
    })
  end)

  it("SGD", function()
    run(1, A.sgd_step_, sgd, {
      { lr = 0.1, momentum = 0, dampening = 0, weight_decay = 0 },
      { lr = 0.1, momentum = 0.9, dampening = 0, weight_decay = 0.01 },
      { lr = 0.1, momentum = 0.9, dampening = 0.3, weight_decay = 0 },
      { lr = 0.1, momentum = 0.9, dampening = 0, weight_decay = 0.01, nesterov = true },
    })
  end)

  it("RMSprop", function()
    run(3, A.rmsprop_step_, rmsprop, {
      { lr = 0.1, alpha = 0.9, eps = 1e-4, momentum = 0, weight_decay = 0 },
      { lr = 0.1, alpha = 0.9, eps = 1e-4, momentum = 0.9, weight_decay = 0.1 },
      { lr = 0.1, alpha = 0.8, eps = 1e-2, momentum = 0.5, weight_decay = 0, centered = true },
    })
  end)

  it("lerp_", function()
    for _, dtype in ipairs { "f32", "f64" } do
      local a, b = normal({ 33 }, dtype), normal({ 33 }, dtype)
      local expected = map(function(x, y) return x + 0.3 * (y - x) end, { 33 }, a, b)
      local view = A.full({ 33, 2 }, 0, dtype):select(2, 1):copy_(a)
      close(expected, A.lerp_(a, b, 0.3), eps[dtype], "lerp_")
      close(expected, A.lerp_(view, b, 0.3), eps[dtype], "lerp_ of a view")
    end
  end)

  it("refuse what does not fit", function()
    local o = { lr = 0.1, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, step = 1 }
    local p = A.full({ 2, 3 }, 0)
    local function new() return A.full({ 2, 3 }, 0) end
    assert.has_error(function() A.adam_step_(p, A.new { 3, 2 }, new(), new(), o) end,
      "adam_step_: array 2 is f32 {3, 2}; f32 {2, 3} expected")
    assert.has_error(function() A.adam_step_(p, new(), new():cast("f64"), new(), o) end)
    assert.has_error(function() A.adam_step_(p, new(), p, new(), o) end)
    assert.has_error(function() A.adam_step_(p, new(), new(), new(), { lr = 1 }) end)
    assert.has_error(function() A.sgd_step_(p, new(), nil, { lr = 0.1, momentum = 0.9 }) end)
    local t = A.full({ 3, 2 }, 0):permute { 2, 1 }
    assert.has_error(function() A.sgd_step_(t, new(), nil, { lr = 1 }) end,
      "sgd_step_: array 1 is not contiguous")
  end)
end)

describe("batch_norm", function()
  local function op(name, ...) return A.binary(name, ...) end

  local function plain(x, w, b, e)
    local dims = {}
    for d = 1, x:ndim() - 1 do dims[d] = d end
    local mean = A.reduce("mean", x, dims)
    local centred = op("sub", x, mean)
    local variance = A.reduce("mean", A.unary("square", centred), dims)
    local invstd = A.unary("rsqrt", op("add", variance, e))
    local hat = op("mul", centred, invstd)
    return op("add", op("mul", hat, w), b), mean, invstd, hat, dims
  end

  local function batch_norm(x, w, b, e, slope)
    local mean, invstd = A.batch_statistics(x, e)
    return A.normalise(x, mean, invstd, w, b, slope), mean, invstd
  end

  local shapes = { { 50, 64 }, { 3, 5, 7, 3 }, { 2, 40, 40, 20 }, { 700, 1 }, { 4, 100 },
    { 9, 9, 33 }, { 31, 24 }, { 257, 40 }, { 11, 300 } }

  it("forward and backward", function()
    for _, dtype in ipairs { "f32", "f64" } do
      local tolerance = dtype == "f32" and 3e-4 or 1e-11
      for _, shape in ipairs(shapes) do
        local C = shape[#shape]
        local x = op("add", normal(shape, dtype), 3)
        local w, b, gr = normal({ C }, dtype), normal({ C }, dtype), normal(shape, dtype)
        local y, mean, invstd, hat, dims = plain(x, w, b, 1e-5)
        local y2, mean2, invstd2 = batch_norm(x, w, b, 1e-5)
        local what = dtype .. " {" .. table.concat(shape, ", ") .. "}"
        close(y:totable(), y2, tolerance, "y " .. what)
        close(mean:totable(), mean2, tolerance, "mean " .. what)
        close(invstd:totable(), invstd2, tolerance, "invstd " .. what)
        -- dx = w invstd (g - mean(g) - hat mean(g hat))
        local dweight = A.reduce("sum", op("mul", gr, hat), dims)
        local inner = op("sub", op("sub", gr, A.reduce("mean", gr, dims)),
          op("mul", hat, A.reduce("mean", op("mul", gr, hat), dims)))
        local dx, dweight2, dbias = A.batch_norm_backward(x, gr, mean2, invstd2, w)
        close(op("mul", op("mul", w, invstd), inner):totable(), dx, tolerance, "dx " .. what)
        close(dweight:totable(), dweight2, tolerance * 10, "dweight " .. what)
        close(A.reduce("sum", gr, dims):totable(), dbias, tolerance * 10, "dbias " .. what)
        local bare = batch_norm(x, nil, nil, 1e-5)
        close(hat:totable(), bare, tolerance, "without weight " .. what)
      end
    end
  end)

  it("moves running statistics, whatever they are kept in", function()
    for _, dtype in ipairs { "f32", "f64" } do
      local x = op("add", normal({ 6, 5, 4 }, "f64"), 2)
      local mean, invstd = A.batch_statistics(x, 1e-3)
      local variance = op("sub", A.unary("reciprocal", A.unary("square", invstd)), 1e-3)
      local running_mean, running_var = A.full({ 4 }, 0.5, dtype), A.full({ 4 }, 2, dtype)
      A.running_statistics_(running_mean, running_var, mean, invstd,
        { momentum = 0.25, eps = 1e-3, count = 30 })
      close(op("add", op("mul", mean, 0.25), 0.375):totable(), running_mean, 1e-6, "mean")
      close(op("add", op("mul", variance, 0.25 * 30 / 29), 1.5):totable(), running_var, 1e-6,
        "variance")
    end
    local v, o = A.full({ 3 }, 1), { momentum = 1, eps = 0, count = 2 }
    assert.has_error(function() A.running_statistics_(v, A.new { 4 }, v, v, o) end,
      "running_statistics_: a vector is f32 {4}; contiguous f32 or f64 {3} expected")
    assert.has_error(function() A.running_statistics_(v, v, v, v, { eps = 0, count = 2 }) end)
  end)

  it("does not cancel when the mean is large", function()
    local x = op("add", normal({ 4000, 8 }), 1000)
    local _, _, exact = batch_norm(x, nil, nil, 0)
    local _, _, single = batch_norm(x:cast("f32"), nil, nil, 0)
    close(exact:totable(), single, 1e-4, "invstd")
  end)

  it("names misfits", function()
    local v = A.full({ 3 }, 1)
    assert.has_error(function() A.normalise(A.new { 4, 3 }, v, v, A.new { 4 }) end,
      "normalise: a vector is f32 {4}; contiguous f32 {3} expected for x {4, 3}")
    assert.has_error(function() A.batch_statistics(A.new { 0, 3 }, 1e-5) end,
      "batch_statistics: x is f32 {0, 3}; f32 or f64 of shape {.., C} expected")
    assert.has_error(function() A.normalise(A.new { 4, 3 }, v, v, nil, nil, -0.1) end,
      "normalise: the slope is -0.1; at least 0 expected")
  end)

  it("gives with a slope what leaky ReLU gives after it, to the bit", function()
    for _, dtype in ipairs { "f32", "f64" } do
      for _, shape in ipairs(shapes) do
        for _, slope in ipairs { 0, 0.2 } do
          local C = shape[#shape]
          local x, gr = normal(shape, dtype), normal(shape, dtype)
          local w, b = normal({ C }, dtype), normal({ C }, dtype)
          local z, mean, invstd = batch_norm(x, w, b, 1e-5)
          local y = A.normalise(x, mean, invstd, w, b, slope)
          local expected = slope == 0 and A.unary("relu", z) or op("leaky_relu", z, slope)
          local what = dtype .. " {" .. table.concat(shape, ", ") .. "} " .. slope
          same(expected:totable(), y, "y " .. what)
          local inner = A.ternary("leaky_relu_grad", z, gr, slope)
          local plain_grads = { A.batch_norm_backward(x, inner, mean, invstd, w) }
          local grads = { A.batch_norm_backward(x, gr, mean, invstd, w, b, slope) }
          for i = 1, 3 do
            same(plain_grads[i]:totable(), grads[i], "gradient " .. i .. " " .. what)
          end
        end
      end
    end
  end)

  it("hands on what is not finite as ReLU does", function()
    local x = A.from({ 0 / 0, 1 / 0, -1 / 0, 1 }, { 2, 2 })
    local one, zero = A.full({ 2 }, 1), A.full({ 2 }, 0)
    local y = A.normalise(x, zero, one, nil, nil, 0):totable()
    assert.is_true(y[1] ~= y[1])
    assert.same({ 1 / 0, 0, 1 }, { y[2], y[3], y[4] })
    assert.equal(-1 / 0, A.normalise(x, zero, one, nil, nil, 0.5):totable()[3])
  end)
end)

describe("memory", function()
  it("of arrays that are gone is used again", function()
    local function resident()
      return tonumber(io.open("/proc/self/status"):read("*a"):match("VmRSS:%s*(%d+)")) / 1024
    end
    collectgarbage()
    local before = resident()
    for _ = 1, 500 do A.full({ 1024, 1024 }, 1) end -- 2 GiB in all
    assert.is_true(resident() - before < 600)
  end)
end)
