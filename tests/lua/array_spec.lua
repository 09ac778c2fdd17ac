-- daub.core.array: how arrays are made, looked at, copied, indexed, filled at random.
local A = require "daub.core.array"
local arrays = require "support.arrays"

local close, coordinates, map, normal = arrays.close, arrays.coordinates, arrays.map, arrays.normal
local position, same, views = arrays.position, arrays.same, arrays.views
local g = arrays.generator

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
