local F = require "daub.ops"
local daub = require "daub"
local nn = require "daub.nn"
local tensor = require "daub.tensor"

local function raises(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert(not ok, "expected an error like: " .. pattern)
  assert(tostring(message):find(pattern), ("expected %q, got %q"):format(pattern, message))
end

local function small_net()
  return nn.Sequential {
    nn.Conv2d(3, 4, 3, { padding = 1 }), nn.BatchNorm2d(4), nn.LeakyReLU(0.2), nn.Flatten(),
    nn.Linear(64, 2),
  }
end

describe("sequential", function()
  -- The same layers one by one, called by hand.
  local function one_by_one(net, x)
    for _, layer in ipairs(net:children()) do x = layer(x) end
    return x
  end

  for name, activation in pairs { ReLU = nn.ReLU(), LeakyReLU = nn.LeakyReLU(0.2) } do
    it("runs batch normalisation and " .. name .. " as one, with the same bits", function()
      local conv = nn.Conv2d(3, 5, 3)
      local function results(run)
        local net = nn.Sequential { conv, nn.BatchNorm2d(5), activation, nn.Tanh() }
        local x = tensor.linspace(-1, 2, 6 * 7 * 8 * 3):reshape { 6, 7, 8, 3 }:requires_grad_()
        local y = run(net, x)
        y:square():sum():backward()
        local seen = net:eval()
        return { y:tobytes(), x.grad:tobytes(), net:at(2).weight.grad:tobytes(),
          net:at(2).bias.grad:tobytes(), net:at(2).running_var:tobytes(),
          run(seen, x:detach()):tobytes() }
      end
      local apart, together = results(one_by_one), results(function(net, x) return net(x) end)
      for i = 1, #apart do assert(apart[i] == together[i], "result " .. i .. " differs") end
    end)
  end

  for name, slope in pairs { ReLU = 0, LeakyReLU = 0.2 } do
    it("runs a convolution and " .. name .. " as one, with the same bits", function()
      local function results(run)
        local net = nn.Sequential { nn.Conv2d(20, 24, 3, { padding = 1 }), nn.LeakyReLU(slope) }
        daub.no_grad(function()
          for k, p in ipairs(net:parameters()) do
            p:copy_(tensor.linspace(-0.3, 0.2 * k, p:numel()):reshape(p.shape))
          end
        end)
        local x = tensor.linspace(-1, 2, 2 * 9 * 8 * 20):reshape { 2, 9, 8, 20 }:requires_grad_()
        local y = run(net, x)
        y:square():sum():backward()
        return { y:tobytes(), x.grad:tobytes(), net:at(1).weight.grad:tobytes(),
          net:at(1).bias.grad:tobytes() }
      end
      local apart, together = results(one_by_one), results(function(net, x) return net(x) end)
      for i = 1, #apart do assert(apart[i] == together[i], "result " .. i .. " differs") end
    end)
  end

  it("runs a layer with a forward of its own by itself", function()
    local Loud = nn.class("Loud", nn.ReLU)
    function Loud.forward(_, x) return x:relu() * 2 end
    local net = nn.Sequential { nn.BatchNorm2d(2), Loud() }
    local x = tensor.randn { 4, 2, 2, 2 }
    assert.same(one_by_one(net, x):totable(), net(x):totable())
  end)
end)

describe("module", function()
  it("keeps parameters, buffers and children in order", function()
    local net, names = small_net(), {}
    for name in net:named_parameters() do names[#names + 1] = name end
    assert.same({ "1.weight", "1.bias", "2.weight", "2.bias", "5.weight", "5.bias" }, names)
    assert.equal(net:at(-1).bias, net:named_parameters()["5.bias"])
    assert.equal(6, #net:parameters())
    assert.equal(3, #net:buffers())
    assert.equal(5, #net:children())
    assert.equal(3 * 3 * 3 * 4 + 4 + 8 + 130, net:count_parameters())
    assert.equal(nn.Flatten, getmetatable(net:at(-2)))
  end)

  it("registers what is assigned, once", function()
    local Block = nn.class "Block"
    function Block:init(n)
      self.conv = nn.Conv2d(n, n, 3, { padding = 1 })
      self.gain = nn.Parameter(tensor.ones { n })
      self.shared = self.conv
      self.note = tensor.zeros { 1 }
    end
    function Block:forward(x) return x + self.conv(x) * self.gain end
    local b = Block(2)
    assert.equal(3, #b:parameters())
    local x = tensor.randn { 1, 4, 4, 2 }
    assert.same({ 1, 4, 4, 2 }, b(x).shape)
    b.gain = nn.Parameter(tensor.zeros { 2 })
    assert.equal(3, #b:parameters())
    assert.equal(0, (b(x) - x):abs():max():item())
    assert.is_nil(b:state().note)
    assert.truthy(tostring(b):find("(conv): Conv2d(2, 2, 3, padding=1)", 1, true))
  end)

  it("saves and loads its state, naming everything that does not fit", function()
    local a, b = small_net(), small_net()
    b:load_state(a:state())
    local x = tensor.randn { 2, 4, 4, 3 }
    assert.same(a(x):totable(), b(x):totable())
    local s = a:state()
    s["1.bias"], s["3.weight"], s["5.weight"] = nil, tensor.ones { 1 }, tensor.ones { 2, 3 }
    raises("missing 1.bias; 5.weight is {2, 3}, expected {2, 64}; unexpected 3.weight",
      b.load_state, b, s)
    s["5.weight"] = nil
    b:load_state(s, { strict = false })
  end)

  it("switches between training and use", function()
    local net = small_net()
    local x = tensor.randn { 2, 4, 4, 3 }
    net:eval()
    local before = net:state()["2.running_mean"]:totable()
    assert.same(net(x):totable(), net(x):totable())
    assert.same(before, net:state()["2.running_mean"]:totable())
    net:train()
    net(x)
    assert.are_not.same(before, net:state()["2.running_mean"]:totable())
    assert.equal(1, net:state()["2.num_batches_tracked"]:item())
    local d = nn.Dropout(0.5)
    assert.equal(x, d:eval()(x))
    daub.seed(1)
    local kept = d:train()(tensor.ones { 10000 })
    assert.near(1, kept:mean():item(), 0.05)
    assert.same(2, kept:max():item())
  end)

  it("applies functions, forgets gradients and freezes", function()
    local net, seen = small_net(), {}
    net:apply(function(m) seen[#seen + 1] = m.type_name end)
    assert.same({ "Conv2d", "BatchNorm2d", "LeakyReLU", "Flatten", "Linear", "Sequential" }, seen)
    net(tensor.randn { 2, 4, 4, 3 }):sum():backward()
    assert.truthy(net:parameters()[1].grad)
    net:zero_grad()
    assert.is_nil(net:parameters()[1].grad)
    net:requires_grad_(false)
    assert.is_false(net(tensor.randn { 2, 4, 4, 3 }).requires_grad)
    assert.equal(6, #net:parameters())
    net:to("f64")
    assert.equal("f64", net(tensor.randn({ 2, 4, 4, 3 }, { dtype = "f64" })).dtype)
  end)

  it("prints like PyTorch's", function()
    assert.equal([[
Sequential(
  (1): Conv2d(3, 4, 3, padding=1)
  (2): BatchNorm2d(4)
  (3): LeakyReLU(0.2)
  (4): Flatten()
  (5): Linear(64, 2)
)]], tostring(small_net()))
    assert.equal("ConvTranspose2d(4, 2, {2, 3}, stride=2, groups=2, bias=false)",
      tostring(nn.ConvTranspose2d(4, 2, { 2, 3 }, { stride = 2, groups = 2, bias = false })))
  end)

  it("names the layer and the shapes in errors", function()
    local net = small_net()
    raises("nn_spec.lua:%d+: conv2d: x {2, 4, 4, 5} has 5 channels.*%(in Conv2d%(3, 4, 3, "
      .. "padding=1%) of Sequential", net, tensor.zeros { 2, 4, 4, 5 })
    raises("linear: x is {2, 100}, weight {2, 64} expects {…, 64} %(in Linear%(64, 2%)",
      net, tensor.zeros { 2, 5, 5, 3 })
    raises("expected {N, H, W, C}", net, tensor.zeros { 2, 4, 4 })
    raises("x is missing, expected a tensor", net)
    raises("x is f64, the weight f32", net, tensor.zeros({ 2, 4, 4, 3 }, { dtype = "f64" }))
  end)

  it("refuses unknown options and layers, naming the nearest", function()
    raises("Conv2d: unknown option pading %(did you mean padding%?%)", nn.Conv2d, 3, 4, 3,
      { pading = 1 })
    raises("nn has no Conv2D %(did you mean Conv2d%?%)", function() return nn.Conv2D end)
    raises("6 and 4 channels cannot be split into 4 groups", nn.Conv2d, 6, 4, 3, { groups = 4 })
    raises("entry 2 is a number", nn.Sequential, { nn.ReLU(), 3 })
    raises("kernel is 0", nn.Conv2d, 3, 4, 0)
  end)
end)

describe("initial values", function()
  local function spread(t, low, high)
    assert.near(low, t:min():item(), (high - low) * 0.02)
    assert.near(high, t:max():item(), (high - low) * 0.02)
    assert.near((high - low) / math.sqrt(12), t:std():item(), (high - low) * 0.01)
  end

  it("are PyTorch's", function()
    daub.seed(3)
    local conv = nn.Conv2d(32, 64, 3)
    spread(conv.weight:detach(), -1 / math.sqrt(288), 1 / math.sqrt(288))
    local up = nn.ConvTranspose2d(32, 64, 4) -- fan_in there counts the outputs
    spread(up.weight:detach(), -1 / math.sqrt(64 * 16), 1 / math.sqrt(64 * 16))
    local linear = nn.Linear(100, 500)
    spread(linear.weight:detach(), -0.1, 0.1)
    assert(linear.bias:abs():max():item() <= 0.1)
    assert.near(1, nn.Embedding(100, 100).weight:std():item(), 0.03)
  end)

  it("can be chosen", function()
    daub.seed(4)
    local w = tensor.empty { 3, 3, 50, 80 }
    assert.near(math.sqrt(2 / 450), nn.init.kaiming_normal_(w):std():item(), 1e-3)
    local out = nn.init.kaiming_normal_(w, { mode = "fan_out", nonlinearity = "tanh" })
    assert.near(5 / 3 / math.sqrt(720), out:std():item(), 1e-3)
    assert.near(math.sqrt(2 / 1170), nn.init.xavier_uniform_(w):std():item(), 1e-3)
    assert.near(0.02, nn.init.normal_(w, 0, 0.02):std():item(), 1e-3)
    assert.equal(7, nn.init.constant_(w, 7):mean():item())
    local conv = nn.Conv2d(3, 4, 3)
    nn.init.zeros_(conv.weight) -- a leaf that requires grad
    assert.is_true(conv.weight.requires_grad)
    raises("did you mean relu", nn.init.calculate_gain, "relux")
  end)
end)

describe("shape layers", function()
  it("go there and back", function()
    local x = tensor.randn { 2, 4, 6, 3 }
    assert.same({ 2, 72 }, nn.Flatten()(x).shape)
    assert.same({ 2, 8, 9 }, nn.Reshape(8, 9)(x).shape)
    assert.same(x:totable(), nn.PixelShuffle(2)(nn.PixelUnshuffle(2)(x)):totable())
    assert.same({ 2, 8, 12, 3 }, nn.Upsample({ scale_factor = 2 })(x).shape)
    assert.same({ 2, 1, 1, 3 }, nn.AdaptiveAvgPool2d(1)(x).shape)
    assert.near(1, nn.PixelNorm()(x):square():mean():item(), 1e-5)
    assert.same({ 2, 2, 5 }, nn.Embedding(4, 5)(tensor.ones({ 2, 2 }, { dtype = "i64" })).shape)
    assert.same({ { 0, 1 }, { 1, 0 } },
      F.one_hot(tensor.from({ 2, 1 }, { dtype = "i64" }), 2):totable())
  end)
end)

describe("spectral norm", function()
  it("brings the largest singular value to 1", function()
    local layer = nn.spectral_norm(nn.Linear(6, 5))
    local x = tensor.randn { 2, 6 }
    for _ = 1, 100 do layer(x) end
    local w = layer.weight:detach()
    local v = tensor.randn { 6 }
    for _ = 1, 200 do v = F.normalize(w:t():matmul(w:matmul(v))) end
    assert.near(1, w:matmul(v):norm():item(), 1e-3)
    layer(x):sum():backward()
    assert.truthy(layer.weight_orig.grad)
    assert.equal(2, #layer:parameters())
    raises("expected a layer with a weight", nn.spectral_norm, nn.ReLU())
  end)
end)
