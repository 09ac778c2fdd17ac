-- The optimisers' steps and batch normalisation of daub.core.array, against plain Lua loops.
local A = require "daub.core.array"
local arrays = require "support.arrays"

local close, eps, map, normal = arrays.close, arrays.eps, arrays.map, arrays.normal
local same = arrays.same

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
