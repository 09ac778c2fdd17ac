-- The binding of convolution, pooling and resampling. Arithmetic over many shapes, thread counts
-- and instruction sets is tests/c/test_conv.c's.
local A = require "daub.core.array"
local C = require "daub.core.conv"

-- The same numbers as in golden/make_pooling.py.
local function fill(shape, dtype)
  local n = 1
  for _, s in ipairs(shape) do n = n * s end
  local values = {}
  for i = 0, n - 1 do values[i + 1] = math.sin(0.7 * i) + 0.01 * (i % 13) end
  return A.from(values, shape, dtype or "f64")
end

local function assert_close(expected, got, tolerance)
  assert.equal(#expected, #got)
  for i = 1, #expected do
    local error = math.abs(expected[i] - got[i])
    assert.is_true(error <= tolerance,
      ("element %d: expected %.9g, got %.9g"):format(i, expected[i], got[i]))
  end
end

local function inner(a, b)
  local p, q, sum = A.totable(a), A.totable(b), 0
  for i = 1, #p do sum = sum + p[i] * q[i] end
  return sum
end

describe("conv2d", function()
  it("is the sum its definition says", function()
    local x, w = fill { 1, 4, 5, 2 }, fill { 3, 2, 2, 3 }
    local bias = A.from({ 1, 2, 3 }, { 3 }, "f64")
    local y = C.conv2d(x, w, bias, { stride = { 2, 1 }, padding = { 1, 0 } })
    assert.same({ 1, 2, 4, 3 }, A.shape(y))
    local xv, wv, expected = A.totable(x), A.totable(w), {}
    for oy = 0, 1 do
      for ox = 0, 3 do
        for o = 0, 2 do
          local sum = o + 1
          for ky = 0, 2 do
            for kx = 0, 1 do
              local iy, ix = oy * 2 + ky - 1, ox + kx
              for c = 0, 1 do
                if iy >= 0 and iy < 4 then
                  local weight = wv[((ky * 2 + kx) * 2 + c) * 3 + o + 1]
                  sum = sum + xv[(iy * 5 + ix) * 2 + c + 1] * weight
                end
              end
            end
          end
          expected[#expected + 1] = sum
        end
      end
    end
    assert_close(expected, A.totable(y), 1e-12)
  end)

  it("agrees in f32 with f64, on views too", function()
    local x, w = fill { 3, 9, 7, 5 }, fill { 3, 3, 5, 6 }
    local o = { stride = 2, padding = 1 }
    local y = C.conv2d(x, w, nil, o)
    local planes = A.contiguous(A.permute(A.cast(x, "f32"), { 4, 1, 2, 3 }))
    local view = A.permute(planes, { 2, 3, 4, 1 })
    assert.is_false(A.is_contiguous(view))
    assert_close(A.totable(y), A.totable(C.conv2d(view, A.cast(w, "f32"), nil, o)), 1e-5)
  end)

  it("has gradients that are its adjoints", function()
    for _, o in ipairs {
      { stride = { 2, 3 }, padding = { 1, 2 } },
      { groups = 2 },
      { padding = 3, stride = 2, groups = 4 },
    } do
      local groups = o.groups or 1
      local x, w = fill { 2, 8, 9, 4 }, fill { 3, 2, 4 / groups, 8 }
      local y = C.conv2d(x, w, nil, o)
      local g = fill(A.shape(y))
      local dx, dw = C.conv2d_input_grad(g, w, 8, 9, o), C.conv2d_weight_grad(x, g, 3, 2, o)
      assert.same(A.shape(x), A.shape(dx))
      assert.same(A.shape(w), A.shape(dw))
      assert_close({ inner(y, g), inner(y, g) }, { inner(x, dx), inner(w, dw) }, 1e-9)
    end
  end)

  it("names what does not fit", function()
    local x, w = fill { 1, 4, 4, 3 }, fill { 3, 3, 3, 8 }
    local function refused(pattern, f, ...)
      local ok, message = pcall(f, ...)
      assert.is_false(ok)
      assert.matches(pattern, message)
    end
    refused("conv2d: x is u8 %(expected f32 or f64%)", C.conv2d, A.new({ 1, 4, 4, 3 }, "u8"), w)
    refused("conv2d: x has shape %(4, 4, 3%)", C.conv2d, A.reshape(x, { 4, 4, 3 }), w)
    refused("f64 and f32", C.conv2d, x, A.cast(w, "f32"))
    refused("has 3 channels, weight %(3, 3, 2, 8%)", C.conv2d, x, fill { 3, 3, 2, 8 })
    refused("bias %(7%), 8 filters expected", C.conv2d, x, w, fill { 7 })
    refused("a kernel of 5x5 does not fit into 4x4", C.conv2d, x, fill { 5, 5, 3, 8 })
    refused("stride 0, padding 0", C.conv2d, x, w, nil, { stride = 0 })
    refused("2 groups do not divide 3 channels", C.conv2d, x, w, nil, { groups = 2 })
    refused("unknown option 'strides'", C.conv2d, x, w, nil, { strides = 2 })
    refused("option 'stride': a number or {rows, columns} expected", C.conv2d, x, w, nil,
      { stride = { 1, 2, 3 } })
    refused("but 9x9 pixels give 7x7", C.conv2d_input_grad, fill { 1, 2, 2, 8 }, w, 9, 9)
    refused("batches of different sizes", C.conv2d_weight_grad, x, fill { 2, 2, 2, 8 }, 3, 3)
  end)
end)

describe("the choice of algorithm", function()
  local daub = require "daub"
  after_each(function() daub.exact(false) end)

  it("is direct where exact results are asked for", function()
    local x, w = fill({ 2, 12, 12, 32 }, "f32"), fill({ 3, 3, 32, 32 }, "f32")
    local o = { padding = 1 }
    assert.is_false(daub.exact())
    local fast = A.totable(C.conv2d(x, w, nil, o))
    assert.is_true(daub.exact(true))
    local direct = A.totable(C.conv2d(x, w, nil, o))
    assert.not_same(fast, direct)
    assert_close(direct, fast, 1e-2) -- of sums as large as 200
    C.algorithm("winograd")
    assert.same(fast, A.totable(C.conv2d(x, w, nil, o)))
  end)

  it("weighs products and transformed numbers", function()
    local o = { stride = 2, padding = 1 }
    local direct, winograd, transformed, chosen = C.work("forward", { 64, 32, 32, 64, 4, 128 }, o)
    assert.equal(64 * 16 * 16 * 16 * 64 * 128, direct)
    assert.equal(direct / 2.56, winograd)
    assert.equal(64 * 16 * 25 * (4 * 64 + 128), transformed)
    assert.is_true(chosen)
    assert.is_false(select(4, C.work("forward", { 64, 64, 64, 3, 4, 64 }, o)))
    assert.equal(0, (select(2, C.work("weight_grad", { 1, 9, 9, 8, 5, 8 }, {}))))
    assert.has_error(function() C.work("forward", { 1, 2, 2, 3, 9, 3 }, {}) end)
    assert.has_error(function() C.work("forward", { 1, 2, 2 }, {}) end)
  end)

  it("refuses what it does not know", function()
    assert.has_error(function() C.algorithm("fourier") end)
    assert.error_matches(function() daub.exact("yes") end, "exact: expected true or false")
  end)
end)

describe("the precision of products", function()
  local daub = require "daub"
  local function with_bf16() return require("daub.core.system").info().bf16 end
  after_each(function()
    daub.exact(false)
    daub.precision "f32"
  end)

  it("is f32 unless set, and bf16 then shows within its error", function()
    assert.equal("f32", daub.precision())
    if not with_bf16() then return pending("this processor has no bf16 products") end
    local o = { stride = 2, padding = 1 }
    for _, direct in ipairs { false, true } do
      daub.exact(direct)
      local x, w = fill({ 3, 12, 12, 33 }, "f32"), fill({ 4, 4, 33, 20 }, "f32")
      local function all()
        local y = C.conv2d(x, w, nil, o)
        return { A.totable(y), A.totable(C.conv2d_input_grad(y, w, 12, 12, o)),
          A.totable(C.conv2d_weight_grad(x, y, 4, 4, o)) }
      end
      local before = all()
      assert.equal("bf16", daub.precision "bf16")
      local rounded = all()
      for i, largest in ipairs { 1e3, 1e5, 1e6 } do
        if direct then assert.not_same(before[i], rounded[i]) end
        assert_close(before[i], rounded[i], largest * 2 ^ -7)
      end
      daub.precision "f32"
      assert.same(before, all())
    end
  end)

  it("leaves f64 and groups as they are", function()
    if not with_bf16() then return pending("this processor has no bf16 products") end
    for dtype, groups in pairs { f64 = 1, f32 = 2 } do
      local x, w = fill({ 2, 9, 9, 32 }, dtype), fill({ 3, 3, 32 / groups, 32 }, dtype)
      local before = A.totable(C.conv2d(x, w, nil, { groups = groups }))
      daub.precision "bf16"
      assert.same(before, A.totable(C.conv2d(x, w, nil, { groups = groups })))
      daub.precision "f32"
    end
  end)

  it("refuses what it does not know or cannot do", function()
    assert.error_matches(function() daub.precision "f16" end, "precision: name is f16")
    assert.equal("f32", daub.precision())
    local r = require("support.daub").run({ "-e", "require('daub').precision 'bf16'" },
      { env = { DAUB_ISA = "scalar" } })
    assert.equal(1, r.code)
    assert.truthy(r.err:match("^daub: [^\n]*precision: bf16 needs AVX%-512%-BF16[^\n]*\n$"), r.err)
  end)
end)

describe("pooling and resampling", function()
  local N, H, W, CHANNELS = 2, 5, 7, 3
  local here = debug.getinfo(1, "S").source:match("^@(.*)/lua/[^/]*$")
  local golden = assert(loadfile(here .. "/golden/pooling.lua"))()

  -- The function and its adjoint as functions of one array.
  local function functions(case)
    local name, a = case.name, case.args
    if name == "avg_pool2d" or name == "max_pool2d" then
      local o = { kernel = { a[1], a[2] }, stride = { a[3], a[4] }, padding = { a[5], a[6] } }
      if name == "max_pool2d" then
        local index
        return function(x)
          local y
          y, index = C.max_pool2d(x, o)
          return y
        end, function(g) return C.max_pool2d_grad(g, index, H, W) end
      end
      o.count_include_pad = a[7]
      return function(x) return C.avg_pool2d(x, o) end,
        function(g) return C.avg_pool2d_grad(g, H, W, o) end
    end
    return function(x) return C[name](x, a[1], a[2], a[3]) end,
      function(g) return C[name .. "_grad"](g, H, W, a[3]) end
  end

  for i, case in ipairs(golden) do
    it(("give PyTorch's values: %s, case %d"):format(case.name, i), function()
      local f, adjoint = functions(case)
      for dtype, tolerance in pairs { f64 = 1e-8, f32 = 2e-6 } do
        local y = f(fill({ N, H, W, CHANNELS }, dtype))
        assert.same({ N, case.size[1], case.size[2], CHANNELS }, A.shape(y))
        assert.equal(dtype, A.dtype(y))
        assert_close(case.y, A.totable(y), tolerance)
        assert_close(case.dx, A.totable(adjoint(fill(A.shape(y), dtype))), tolerance * 10)
      end
    end)
  end

  it("add the averages' adjoint to a sum", function()
    for _, o in ipairs { { kernel = 2 }, { kernel = 3, stride = 1, padding = 1 },
      { kernel = { 1, 2 }, stride = 3 } } do
      local x = fill { N, H, W, CHANNELS }
      local dy = fill(A.shape(C.avg_pool2d(x, o)))
      local expected = A.binary("add", x, C.avg_pool2d_grad(dy, H, W, o))
      local sum = A.clone(x)
      assert.equal(sum, C.avg_pool2d_grad(dy, H, W, o, sum))
      assert_close(A.totable(expected), A.totable(sum), 1e-6)
    end
    local dy = fill { 1, 2, 2, 3 }
    for _, sum in ipairs { fill { 1, 4, 5, 3 }, fill { 1, 4, 4, 2 }, A.new { 1, 4, 4, 3 } } do
      assert.has_error(function() C.avg_pool2d_grad(dy, 4, 4, { kernel = 2 }, sum) end)
    end
  end)

  it("hand a NaN on, and padding never wins", function()
    local x = A.full({ 1, 2, 2, 1 }, -5, "f32")
    assert.same({ -5, -5, -5, -5 },
      A.totable((C.max_pool2d(x, { kernel = 2, stride = 2, padding = 1 }))))
    local values = A.totable(C.max_pool2d(A.from({ 1, 0 / 0, 3, 4 }, { 1, 2, 2, 1 }, "f32"),
      { kernel = 2 }))
    assert.is_true(values[1] ~= values[1])
  end)

  it("take values from where the maxima were", function()
    local x = fill { N, H, W, CHANNELS }
    local y, index = C.max_pool2d(x, { kernel = 3, stride = 2 })
    assert.equal("i64", A.dtype(index))
    assert.same(A.totable(y), A.totable(C.max_pool2d_gather(x, index)))
  end)

  it("refuse what does not fit", function()
    local x = fill { N, H, W, CHANNELS }
    assert.has_error(function() C.avg_pool2d(x, { kernel = 8 }) end)
    assert.has_error(function() C.avg_pool2d(x, { kernel = 2, padding = 2 }) end)
    assert.has_error(function() C.avg_pool2d(x, {}) end)
    assert.has_error(function() C.max_pool2d(x, { kernel = 2, window = 2 }) end)
    assert.has_error(function() C.upsample_nearest(x, 0, 4) end)
    assert.has_error(function() C.upsample_bilinear_grad(x, -1, 4) end)
    assert.has_error(function() C.adaptive_avg_pool2d(x, 2 ^ 40, 1) end)
    assert.has_error(function() C.avg_pool2d_grad(x, 9, 9, { kernel = 2 }) end)
    local y, index = C.max_pool2d(x, { kernel = 2 })
    local ok, message = pcall(C.max_pool2d_grad, y, A.fill_(A.clone(index), 99), H, W)
    assert.is_false(ok)
    assert.matches("outside the picture", message)
    assert.has_error(function() C.max_pool2d_gather(x, y) end)
  end)
end)
