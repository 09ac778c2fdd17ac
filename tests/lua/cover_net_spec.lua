-- The networks for covers against PyTorch's (tests/golden/make_cover.py) and against the figures
-- they were designed with.
local A = require "daub.core.array"
local C = require "daub.core.conv"
local F = require "daub.ops"
local autograd = require "daub.autograd"
local cover = require "daub.learn.networks.cover"
local formula = require "support.formula"
local losses = require "daub.learn.losses"
local safetensors = require "daub.safetensors"
local tensor = require "daub.tensor"

local function size(width, height, widths)
  return { width = width, height = height, latent = 16, widths = widths or 10 }
end

describe("the networks for covers", function()
  local golden = assert(safetensors.load("tests/golden/cover.safetensors"))

  for dtype, tolerance in pairs { f64 = 1e-8, f32 = 2e-3 } do
    it("paint, judge and learn as PyTorch's do, in " .. dtype, function()
      local o = size(64, 64)
      local G, D = cover.recipes.lite.generator(o), cover.recipes.lite.critic(o)
      for prefix, network in pairs { ["G."] = G, ["D."] = D } do
        network:to("f64")
        formula.fill(network, prefix)
        network:to(dtype)
      end
      function G.noise(_, z, count)
        return (formula.numbers("noise", { z.shape[1], count }) * 4):to(dtype)
      end
      local painted = G((formula.numbers("z", { 8, 16 }) * 4):to(dtype))
      local logits
      losses.logistic.generator(function(x)
        logits = D(x)
        return logits
      end, painted):backward()

      local function near(what, got, expected)
        local off = (got:to("f64") - expected):abs():max():item()
        local scale = math.max(expected:abs():max():item(), 0.1)
        assert(off <= tolerance * scale, ("%s: off by %.3g of %.3g"):format(what, off, scale))
      end
      local rows = tensor.arange(1, 65, 8, { dtype = "i64" })
      near("painted", painted:detach():index_select(2, rows):index_select(3, rows),
        golden.painted)
      near("logits", logits:detach(), golden.logits)
      local compared = 2
      for prefix, network in pairs { ["G."] = G, ["D."] = D } do
        for name, p in network:named_parameters() do
          local full = prefix .. name
          local probe = formula.numbers("probe " .. full, p.shape)
          near(full, (p.grad:to("f64") * probe):sum(), golden[full])
          compared = compared + 1
        end
      end
      local known = 0
      for name in pairs(golden) do known = known + (name:match("^S%.") and 0 or 1) end
      assert.are.equal(known, compared)
    end)
  end

  -- Multiplications of f(), as many as a direct convolution needs.
  local function multiplications(f)
    local count, plain = 0, {}
    local function watch(module, name, cost)
      plain[#plain + 1] = { module, name, module[name] }
      local call = module[name]
      module[name] = function(...)
        local y = call(...)
        count = count + cost(y, ...)
        return y
      end
    end
    local function kernel(w)
      local s = w:shape()
      return s[1] * s[2] * s[3]
    end
    watch(C, "conv2d", function(y, _, w) return y:numel() * kernel(w) end)
    watch(C, "conv2d_input_grad", function(_, dy, w) return dy:numel() * kernel(w) end)
    watch(A, "matmul", function(y, a) return y:numel() * a:shape()[2] end)
    local ok, message = pcall(f)
    for _, entry in ipairs(plain) do entry[1][entry[2]] = entry[3] end
    assert(ok, message)
    return count
  end

  -- Millions of parameters and GFLOP for a picture, of generator and critic.
  for _, case in ipairs {
    { "tiny", 96, 32, 1.54, 0.572, 0.253, 0.176 },
    { "lite", 192, 64, 2.18, 0.961, 0.603, 0.589 },
    { "lite", 384, 128, 2.21, 0.970, 0.859, 0.742 },
    { "base", 192, 64, 3.19, 1.618, 1.008, 1.007 },
  } do
    local name, width, height, g_size, d_size, g_work, d_work = unpack(case)
    it(("have the size and cost of %s at %dx%d"):format(name, width, height), function()
      local o = { width = width, height = height, latent = 128, widths = 100 }
      local G, D = cover.recipes[name].generator(o), cover.recipes[name].critic(o)
      local function near(expected, got)
        assert(math.abs(got - expected) <= 0.005 * expected, ("%g, expected %g"):format(got,
          expected))
      end
      near(g_size, G:count_parameters() / 1e6)
      near(d_size, D:count_parameters() / 1e6)
      G:eval()
      D:eval()
      autograd.no_grad(function()
        local x
        near(g_work, multiplications(function() x = G(tensor.randn { 1, 128 }) end) * 2e-9)
        near(d_work, multiplications(function() D(x) end) * 2e-9)
      end)
    end)
  end

  it("paint a latent the same alone and among others, and by its own noise", function()
    local G = cover.recipes.tiny.generator(size(32, 16, 25))
    for name, p in G:named_parameters() do
      if name:match("noise") then autograd.no_grad(function() p:fill_(1) end) end
    end
    G:eval()
    autograd.no_grad(function()
      local z = tensor.randn({ 5, 16 }, { generator = tensor.generator(1) })
      local together = G(z)
      for i = 1, 5 do
        local alone = G(z:narrow(1, i, 1)):select(1, 1)
        assert.is_true((alone - together:select(1, i)):abs():max():item() < 1e-4)
      end
      local noise = G:noise(z, 1000)
      assert.are.equal(noise:tobytes(), G:noise(z, 1000):tobytes())
      assert.is_true(math.abs(noise:mean():item()) < 0.1)
      assert.is_true(math.abs(noise:std():item() - 1) < 0.1)
      assert.is_true((noise:select(1, 1) - noise:select(1, 2)):abs():mean():item() > 0.5)
      assert.are.same({ 2, 7 }, G:noise(tensor.randn { 2, 1 }, 7).shape)
    end)
  end)

  it("fit any size that halves down to a small grid", function()
    for _, case in ipairs { { 96, 32 }, { 32, 16 }, { 60, 20 }, { 80, 56 }, { 64, 128 } } do
      local o = size(case[1], case[2])
      assert.is_true((cover.recipes.lite.fits(o.width, o.height)))
      local G, D = cover.recipes.lite.generator(o), cover.recipes.lite.critic(o)
      local painted = G(tensor.randn { 3, 16 })
      assert.are.same({ 3, o.height, o.width, 3 }, painted.shape)
      assert.are.same({ 3, 1 }, D(painted).shape)
    end
    local fits, message = cover.recipes.tiny.fits(100, 30)
    assert.is_false(fits)
    assert.truthy(message:match("halved"))
  end)

  it("double by nearest neighbour and a 3x3 convolution, turned by 180 degrees", function()
    local layer = cover.DoublingConv(3, 5):to("f64")
    autograd.no_grad(function() layer.weight:normal_() end)
    local x = tensor.randn({ 2, 3, 4, 3 }, { dtype = "f64" })
    local w = layer.weight:detach():flip { 1, 2 }:permute { 1, 2, 4, 3 }
    local expected = F.conv2d(F.interpolate(x, { scale_factor = 2 }), w, { padding = 1 })
    assert.is_true((layer(x) - expected):abs():max():item() < 1e-12)
  end)

  it("halve by a 3x3 convolution and the mean of every 2x2", function()
    local layer = cover.HalvingConv(3, 5, true):to("f64")
    autograd.no_grad(function()
      layer.weight:normal_()
      layer.bias:normal_()
    end)
    local x = tensor.randn({ 2, 6, 4, 3 }, { dtype = "f64" })
    local expected = F.avg_pool2d(F.conv2d(x, layer.weight,
      { padding = 1, bias = layer.bias }), 2)
    assert.is_true((layer(x) - expected):abs():max():item() < 1e-12)
  end)

  it("see how much the pictures of each group differ", function()
    local x = tensor.zeros { 6, 1, 2, 1 } -- two groups of three
    x:narrow(1, 4, 1):fill_(3)
    local y = cover.GroupSpread()(x)
    assert.are.same({ 6, 1, 2, 2 }, y.shape)
    local spread = y:select(4, 2):reshape({ -1 }):totable()
    for i = 1, 6 do assert(spread[i] < 1e-3) end
    for i = 7, 12 do assert(math.abs(spread[i] - math.sqrt(2)) < 1e-5) end
  end)
end)
