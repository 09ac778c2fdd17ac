-- What daub.core.array computes, against plain Lua loops, and f32 against f64.
local A = require "daub.core.array"
local arrays = require "support.arrays"

local broadcast, close, coordinates = arrays.broadcast, arrays.close, arrays.coordinates
local eps, map, normal, position = arrays.eps, arrays.map, arrays.normal, arrays.position
local product, same, views = arrays.product, arrays.same, arrays.views
local g = arrays.generator

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
        local awkward = views("f64")
        awkward[#awkward + 1] = normal { 70, 2, 3 }
        awkward[#awkward + 1] = normal { 2, 3, 150 }
        for i, v in ipairs(awkward) do
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
