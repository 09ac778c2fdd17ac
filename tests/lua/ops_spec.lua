-- Every op: f32 against f64, gradients and gradients of gradients by finite differences, and the
-- same bits for 1, 2 and 3 threads.
local F = require "daub.ops"
local autograd = require "daub.autograd"
local daub = require "daub"
local tensor = require "daub.tensor"

-- f64 leaves of the given shapes: normal numbers, kept away from 0 where ops have a corner there.
local function inputs(shapes)
  local g = tensor.generator(7)
  local list = {}
  for i, shape in ipairs(shapes) do
    local x = tensor.randn(shape, { dtype = "f64", generator = g })
    list[i] = (x + x:sign() * 0.05):requires_grad_()
  end
  return list
end

local idx = tensor.from({ 3, 1, 3, 2 }, { dtype = "i64" })
local idx2 = tensor.from({ { 1, 3 }, { 2, 2 }, { 4, 1 } }, { dtype = "i64" })
local mask = tensor.from({ { 1, 0, 1, 0 }, { 0, 0, 1, 1 }, { 1, 1, 0, 0 } }, { dtype = "u8" })
local classes = tensor.from({ 2, 4, 1 }, { dtype = "i64" })

local function positive(f) return function(x) return f(x:abs() + 0.5) end end
local function method(name, ...)
  local arguments = { ... }
  return function(x) return (x[name](x, unpack(arguments))) end
end

local m = { { 3, 4 } }              -- one matrix
local mm = { { 3, 4 }, { 3, 4 } }   -- two
local image = { { 2, 5, 6, 4 } }    -- a picture, sides odd and even

-- name: {function, shapes of its inputs, options of check}
local cases = {
  add = { function(a, b) return a + b end, mm },
  add_broadcast = { function(a, b) return a + b end, { { 3, 1 }, { 2, 1, 4 } } },
  add_number = { function(a) return 2 + a + 1 end, m },
  sub = { function(a, b) return a - b end, { { 3, 4 }, { 4 } } },
  sub_number = { function(a) return 2 - a - 1 end, m },
  mul = { function(a, b) return a * b end, { { 3, 4 }, { 3, 1 } } },
  mul_itself = { function(a) return a * a * a end, m },
  div = { function(a, b) return a / (b:abs() + 0.5) end, mm },
  div_number = { function(a) return 3 / (a:abs() + 0.5) + a / 4 end, m },
  pow = { function(a, b) return (a:abs() + 0.5) ^ b end, mm },
  pow_number = { function(a) return a ^ 3 + a ^ 2 + 2 ^ a end, m },
  fmod = { function(a, b) return a:fmod(b:abs() + 3) end, mm },
  remainder = { function(a) return a % 5 end, m },
  atan2 = { function(a, b) return a:atan2(b) end, mm },
  maximum = { function(a, b) return a:maximum(b) end, mm },
  minimum = { function(a, b) return a:minimum(b) end, mm },
  maximum_number = { function(a) return a:maximum(0.3) + a:minimum(0.2) end, m },
  neg = { method "neg", m }, abs = { method "abs", m }, exp = { method "exp", m },
  expm1 = { method "expm1", m }, log = { positive(method "log"), m },
  log1p = { positive(method "log1p"), m }, sqrt = { positive(method "sqrt"), m },
  rsqrt = { positive(method "rsqrt"), m }, reciprocal = { positive(method "reciprocal"), m },
  square = { method "square", m }, sin = { method "sin", m }, cos = { method "cos", m },
  tanh = { method "tanh", m }, sigmoid = { method "sigmoid", m },
  softplus = { method "softplus", m }, erf = { method "erf", m },
  relu = { method "relu", m }, leaky_relu = { method("leaky_relu", 0.2), m },
  leaky_relu_negative = { method("leaky_relu", -0.3), m },
  floor = { function(a) return a:floor() * a end, m },
  silu = { F.silu, m }, elu = { function(a) return F.elu(a, 0.7) end, m }, gelu = { F.gelu, m },
  gelu_tanh = { function(a) return F.gelu(a, { approximate = "tanh" }) end, m },
  prelu = { F.prelu, { { 3, 4 }, { 4 } } },
  softmax = { F.softmax, m }, log_softmax = { function(a) return F.log_softmax(a, 1) end, m },
  clamp = { method("clamp", -0.5, 0.7), m },
  where = { function(a, b) return tensor.where(mask, a, b) * tensor.where(mask, a, 2) end, mm },
  masked_fill = { function(a) return a:masked_fill(mask, 3) end, m },
  to = { function(a) return a:to("f64"):square() end, m },

  sum = { function(a) return a:sum(2) * a:sum(1, true):sum() end, m },
  sum_list = { method("sum", { 1, -1 }, true), { { 2, 3, 4 } } },
  mean = { method("mean", 1), m }, prod = { method("prod", 2), m },
  prod_all = { method "prod", { { 2, 3 } } },
  var = { method("var", 2), m }, std = { method("std", { 1, 2 }), m },
  norm = { method("norm", 2), m },
  norm_p = { function(a) return a:norm(1, true, { p = 3 }) end, m },
  max = { method("max", 2), m }, min = { method("min", 1, true), m },
  max_all = { method "max", m }, amin = { method("amin", { 1 }), m },
  logsumexp = { method("logsumexp", { 1, 2 }), m }, cumsum = { method("cumsum", 1), m },
  sort = { method("sort", 1, true), m }, topk = { method("topk", 2, 2), m },
  matmul = { function(a, b) return a:matmul(b) end, { { 3, 4 }, { 4, 2 } } },
  matmul_batched = { function(a, b) return a:matmul(b) end, { { 2, 1, 3, 4 }, { 5, 4, 2 } } },
  matmul_vector = { function(a, b) return a:matmul(b) end, { { 4 }, { 4, 2 } } },
  matmul_column = { function(a, b) return a:matmul(b) end, { { 2, 3, 4 }, { 4 } } },
  dot = { function(a, b) return a:dot(b) end, { { 4 }, { 4 } } },

  reshape = { function(a) return a:reshape { 2, -1 } * a:reshape(2, 6) end, m },
  permute = { method("permute", { 3, 1, 2 }), { { 2, 3, 4 } } },
  transpose = { function(a) return a:transpose(1, -1):matmul(a) end, m },
  narrow = { function(a) return a:narrow(2, 2, 2) * a:narrow(2, -2, 2) end, m },
  select = { function(a) return a[1] * a:select(1, -1) end, m },
  expand = { function(a) return a:expand { 2, 3, 4 } * a:expand(-1, 4):square() end, { { 3, 1 } } },
  unsqueeze = { function(a) return a:unsqueeze(-1) * a:unsqueeze(2):squeeze():unsqueeze(3) end, m },
  flatten = { method("flatten", 2), { { 2, 3, 2 } } },
  chunk = { function(a) return a:chunk(2, 2)[2] * a:split(3, 2)[1]:sum() end, m },
  tile = { method("tile", { 2, 1, 2 }), m },
  clone = { function(a) return a:clone() * a:contiguous() end, m },
  pad = { method("pad", { { 1, 0 }, { -1, 2 } }, 0.5), m },
  flip = { function(a) return a:flip(1) * a:flip { 1, 2 } end, m },
  roll = { method("roll", 3, 2), m },
  cat = { function(a, b) return F.cat({ a, b, a }, 2) * 2 end, { { 3, 2 }, { 3, 1 } } },
  stack = { function(a, b) return F.stack({ a, b }, 2) end, mm },
  index_select = { method("index_select", 1, idx), m },
  index_add = { function(a, b) return a:index_add(1, idx, b) end, { { 3, 2 }, { 4, 2 } } },
  gather = { method("gather", 2, idx2), m },
  scatter_add = { function(a, b) return a:scatter_add(2, idx2, b) end, { { 3, 4 }, { 3, 2 } } },

  linear = { F.linear, { { 2, 3, 4 }, { 5, 4 }, { 5 } } },
  embedding = { function(w) return F.embedding(idx2, w) end, { { 4, 3 } } },
  conv2d = { function(x, w, b) return F.conv2d(x, w, { bias = b }) end,
    { { 2, 4, 5, 2 }, { 3, 2, 2, 3 }, { 3 } } },
  conv2d_sloped = { function(x, w, b)
    return F.conv2d(x, w, { bias = b, negative_slope = 0.3 })
  end, { { 2, 4, 5, 2 }, { 3, 2, 2, 3 }, { 3 } } },
  conv2d_strided = { function(x, w)
    return F.conv2d(x, w, { stride = { 2, 3 }, padding = { 1, 0 } })
  end, { { 1, 6, 5, 2 }, { 3, 2, 2, 2 } } },
  conv2d_groups = { function(x, w)
    return F.conv2d(x, w, { padding = 1, groups = 2, stride = 2 })
  end, { { 1, 4, 3, 4 }, { 3, 3, 2, 2 } } },
  conv_transpose2d = { function(x, w, b)
    return F.conv_transpose2d(x, w,
      { bias = b, stride = 2, padding = 1, output_padding = { 0, 1 } })
  end, { { 1, 2, 3, 2 }, { 3, 4, 3, 2 }, { 3 } } },
  conv_transpose2d_groups = { function(x, w) return F.conv_transpose2d(x, w, { groups = 2 }) end,
    { { 1, 2, 3, 4 }, { 2, 2, 1, 4 } } },
  avg_pool2d = { function(x)
    return F.avg_pool2d(x, { 2, 3 }, { stride = 2, padding = 1 }):square()
  end, image },
  max_pool2d = { function(x) return F.max_pool2d(x, 3, { stride = 2, padding = 1 }):square() end,
    image },
  adaptive_avg_pool2d = { function(x)
    return F.adaptive_avg_pool2d(x, { 3, 2 }):square()
  end, image },
  nearest = { function(x) return F.interpolate(x, { size = { 7, 3 } }):square() end, image },
  bilinear = { function(x)
    return F.interpolate(x, { scale_factor = 2, mode = "bilinear" }):square()
  end, { { 1, 2, 3, 2 } } },
  bilinear_aligned = { function(x)
    return F.interpolate(x, { size = 4, mode = "bilinear", align_corners = true }):square()
  end, { { 1, 2, 3, 2 } } },
  bilinear_factor = { function(x)
    return F.interpolate(x, { scale_factor = { 1.7, 0.8 }, mode = "bilinear" }):square()
  end, { { 1, 3, 3, 2 } } },
  pixel_shuffle = { function(x) return F.pixel_unshuffle(F.pixel_shuffle(x, 2):square(), 2) end,
    { { 1, 2, 3, 4 } } },
  pad_picture = { function(x) return F.pad(x, { 1, 2, 0, 1 }, { mode = "reflect" }) end,
    { { 1, 3, 4, 2 } } },
  batch_norm = { function(x, w, b)
    return F.batch_norm(x, nil, nil, { weight = w, bias = b, training = true })
  end, { { 2, 3, 2, 2 }, { 2 }, { 2 } }, { rtol = 1e-4 } },
  batch_norm_plain = { function(x) return F.batch_norm(x, nil, nil, { training = true }) end,
    { { 2, 3, 2, 2 } }, { rtol = 1e-4 } },
  batch_norm_eval = { function(x, w, b)
    return F.batch_norm(x, tensor.from({ 0.3, -1 }, { dtype = "f64" }),
      tensor.from({ 2, 0.5 }, { dtype = "f64" }), { weight = w, bias = b })
  end, { { 2, 3, 2, 2 }, { 2 }, { 2 } } },
  batch_norm_sloped = { function(x, w, b)
    return F.batch_norm(x, nil, nil, { weight = w, bias = b, training = true,
      negative_slope = 0.2 })
  end, { { 2, 3, 2, 2 }, { 2 }, { 2 } }, { rtol = 1e-4 } },
  batch_norm_eval_sloped = { function(x, w, b, mean, var)
    return F.batch_norm(x, mean, var:square() + 0.5, { weight = w, bias = b,
      negative_slope = 0.3 })
  end, { { 2, 3, 2, 2 }, { 2 }, { 2 }, { 2 }, { 2 } } },
  group_norm = { function(x, w, b) return F.group_norm(x, 2, { weight = w, bias = b }) end,
    { { 2, 2, 2, 4 }, { 4 }, { 4 } }, { rtol = 1e-4 } },
  instance_norm = { function(x) return F.instance_norm(x) end, { { 2, 2, 3, 2 } },
    { rtol = 1e-4 } },
  layer_norm = { function(x) return F.layer_norm(x, { 4 }) end, m, { rtol = 1e-4 } },
  pixel_norm = { function(x) return F.pixel_norm(x) end, { { 2, 2, 2, 3 } } },
  normalize = { function(x) return F.normalize(x) end, m },
  dropout = { function(x)
    return F.dropout(x, 0.3, { generator = tensor.generator(3) }):square()
  end, m },

  mse_loss = { F.mse_loss, mm }, l1_loss = { F.l1_loss, mm },
  smooth_l1_loss = { function(a, b) return F.smooth_l1_loss(a, b, { beta = 0.7 }) end, mm },
  bce_with_logits = { function(x, t) return F.bce_with_logits(x, t:sigmoid()) end, mm },
  bce_with_logits_number = { function(x) return F.bce_with_logits(x, 1, { reduction = "none" }) end,
    m },
  binary_cross_entropy = { function(x, t)
    return F.binary_cross_entropy(x:sigmoid(), t:sigmoid())
  end, mm },
  cross_entropy = { function(x)
    return F.cross_entropy(x, classes, { label_smoothing = 0.1 })
  end, m },
  cross_entropy_probabilities = { function(x, t) return F.cross_entropy(x, F.softmax(t)) end, mm },
}

cases.add_noise = { F.add_noise, { { 2, 3, 2, 5 }, { 2, 3, 2, 1 }, { 5 } } }
cases.gate = { F.gate, { { 2, 3, 2, 5 }, { 2, 1, 1, 5 } } }
local ways = tensor.from({ { 1, -2 }, { -9, 0 } }, { dtype = "i64" })
cases.shift = { function(x) return F.shift(x, ways) end, image }

local names = {}
for name in pairs(cases) do names[#names + 1] = name end
table.sort(names)

local function in_f32(list)
  local out = {}
  for i, x in ipairs(list) do out[i] = x:detach():to("f32"):requires_grad_() end
  return out
end

-- The result and every gradient, as tensors.
local function everything(f, list)
  local y = f(unpack(list))
  local out = { y }
  for i, g in ipairs(autograd.grad(y:sum(), list)) do out[i + 1] = g end
  return out
end

describe("op", function()
  for _, name in ipairs(names) do
    local f, shapes, o = unpack(cases[name])

    it(name .. " has the gradients finite differences show", function()
      local settings = { order = 2, rtol = 2e-5, atol = 2e-6 }
      for k, v in pairs(o or {}) do settings[k] = v end
      assert(autograd.check(f, inputs(shapes), settings))
    end)

    it(name .. " in f32 is near f64", function()
      local exact, rough = everything(f, inputs(shapes)), everything(f, in_f32(inputs(shapes)))
      for i, y in ipairs(exact) do
        local off = (y - rough[i]):abs():max():item() / (1 + y:abs():max():item())
        assert(off < 2e-5, ("result %d: off by %g"):format(i, off))
      end
    end)
  end
end)

describe("thread counts 1, 2 and 3", function()
  local before = daub.threads()
  after_each(function() daub.threads(before) end)

  local function net(x, w, v, b)
    local h = F.leaky_relu(F.conv2d(x, w, { stride = 2, padding = 1 }), 0.2)
    h = F.batch_norm(h, nil, nil, { weight = b, training = true })
    return F.conv_transpose2d(h, v, { stride = 2, padding = 1 }):tanh():matmul(
      tensor.ones { 5, 7 }):logsumexp(-1)
  end

  it("give the same bits", function()
    local g = tensor.generator(1)
    local list = {}
    for i, shape in ipairs { { 6, 34, 30, 5 }, { 4, 4, 5, 24 }, { 4, 4, 5, 24 }, { 24 } } do
      list[i] = tensor.randn(shape, { generator = g, requires_grad = true })
    end
    local bits
    for threads = 1, 3 do
      daub.threads(threads)
      local now = {}
      for i, y in ipairs(everything(net, list)) do now[i] = y:tobytes() end
      local drawn = tensor.randn({ 100, 1000 }, { generator = tensor.generator(5) })
      now[#now + 1] = drawn:tobytes()
      bits = bits or now
      for i = 1, #now do assert(now[i] == bits[i], "result " .. i .. " differs") end
    end
  end)
end)
