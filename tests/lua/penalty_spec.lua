-- The gradient penalty: the pass that does not differentiate twice against autograd and against
-- differences, the games with and without it, its strength.
local autograd = require "daub.autograd"
local cover = require "daub.learn.networks.cover"
local dcgan = require "daub.learn.networks.dcgan"
local formula = require "support.formula"
local losses = require "daub.learn.losses"
local nn = require "daub.nn"
local penalty = require "daub.learn.penalty"
local plan = require "daub.learn.plan"
local safetensors = require "daub.safetensors"
local tensor = require "daub.tensor"

local GAMMA = 0.7
local F64 = { dtype = "f64" }

local function pictures(n, width, height)
  local g = tensor.generator(n)
  local o = { dtype = "f64", generator = g }
  return tensor.rand({ n, height, width, 3 }, o) * 2 - 1,
    tensor.rand({ n, height, width, 3 }, o) * 2 - 1
end

-- A critic with every kind of layer that `learn` knows.
local function small()
  local Fork = nn.class "Fork"
  function Fork:init(a, b) self.a, self.b = a, b end
  function Fork:branches() return { self.a, self.b } end
  function Fork:forward(x) return self.a(x) + self.b(x) end
  local conv = nn.Conv2d(3, 4, 4, { stride = 2, padding = 1 })
  local D = nn.Sequential {
    nn.LeakyReLU(0.5), nn.PixelUnshuffle(2), nn.LeakyReLU(0.9),
    nn.Conv2d(12, 3, 3, { padding = 1 }), nn.LeakyReLU(0.2),
    Fork(nn.Sequential {}, nn.Conv2d(3, 3, 1)), -- a shortcut past a layer
    Fork(nn.Sequential { nn.AvgPool2d(2), nn.Conv2d(3, 4, 1, { bias = false }) },
      nn.Sequential { conv, nn.LeakyReLU(0.1) }),
    nn.LeakyReLU(0.3), nn.Flatten(), nn.Linear(8, 3), nn.ReLU(), nn.Linear(3, 1),
  }:to("f64")
  local g = tensor.generator(7)
  for _, p in ipairs(D:parameters()) do
    autograd.no_grad(function() p:copy_(tensor.randn(p.shape, { generator = g }) * 0.4) end)
  end
  return D
end

-- Gradients by name that game.critic leaves, and what it returns.
local function learnt(game, D, real, fake, gamma)
  D:zero_grad()
  local loss, steep = game.critic(D, real, fake, gamma)
  local gradients = {}
  for name, p in D:named_parameters() do gradients[name] = p.grad:totable_flat() end
  return gradients, loss:item(), steep and steep:item()
end

-- The same with the penalty by its definition.
local function learnt_plainly(...)
  local knows = penalty.knows
  penalty.knows = function() return false end
  local result = { pcall(learnt, ...) }
  penalty.knows = knows
  return select(2, assert(unpack(result)))
end

-- To within a share of the largest of all.
local function assert_near(expected, got, tolerance)
  local most = 1e-3
  for _, list in pairs(expected) do
    for _, value in ipairs(list) do most = math.max(most, math.abs(value)) end
  end
  for name, list in pairs(expected) do
    for i, value in ipairs(list) do
      assert(math.abs(value - got[name][i]) <= tolerance * most,
        ("%s, element %d: %.9g, expected %.9g"):format(name, i, got[name][i], value))
    end
  end
end

describe("the gradient penalty", function()
  it("is half the mean square of the critic's slope", function()
    local D = nn.Linear(3, 1):to("f64")
    local scores, r = penalty.plain(D, tensor.randn({ 5, 3 }, F64))
    assert.are.same({ 5, 1 }, scores.shape)
    assert.near(D.weight:square():sum():item() / 2, r:item(), 1e-12)
  end)

  for name, game in pairs(losses) do
    it("is the same without differentiating twice: " .. name, function()
      for _, case in ipairs { { small(), 8, 4 }, { cover.recipes.lite.critic { width = 48,
        height = 16, widths = 10, flavour = "steady" }:to("f64"), 48, 16 } } do
        local D, real, fake = case[1], pictures(3, case[2], case[3])
        assert.is_true(penalty.knows(D))
        local fast, loss, steep = learnt(game, D, real, fake, GAMMA)
        local plain, plain_loss, plain_steep = learnt_plainly(game, D, real, fake, GAMMA)
        assert.near(plain_loss, loss, 1e-12)
        assert.near(plain_steep, steep, 1e-12)
        assert.is_true(steep > 0)
        assert_near(plain, fast, 1e-10)
      end
    end)
  end

  it("and its gradient agree with differences", function()
    local D, real, fake = small(), pictures(3, 8, 4)
    local gradients = learnt(losses.relativistic, D, real, fake, GAMMA)
    local function value()
      local a, r1 = penalty.plain(D, real)
      local b, r2 = penalty.plain(D, fake)
      return ((b - a):softplus():mean() + (r1 + r2) * GAMMA):item()
    end
    local eps = 1e-6
    for name, p in D:named_parameters() do
      local v = p:detach():view()
      local differences = {}
      for k = 0, p:numel() - 1 do
        local before = v[k]
        v[k] = before + eps
        local above = value()
        v[k] = before - eps
        differences[k + 1] = (above - value()) / (2 * eps)
        v[k] = before
      end
      assert_near({ [name] = differences }, gradients, 1e-6)
    end
  end)

  for dtype, tolerance in pairs { f64 = 1e-9, f32 = 2e-3 } do
    it("and its gradient are PyTorch's, in " .. dtype, function()
      local golden = assert(safetensors.load("tests/golden/cover.safetensors"))
      local D = cover.recipes.lite.critic { width = 64, height = 64, widths = 10,
        flavour = "steady" }:to("f64")
      formula.fill(D, "S.")
      D:to(dtype)
      local function shown(name) return (formula.numbers(name, { 8, 64, 64, 3 }) * 2):to(dtype) end
      local loss, steep = losses.relativistic.critic(D, shown "real", shown "fake", GAMMA)
      local function near(name, got)
        local expected = golden["S." .. name]:item()
        assert(math.abs(got:item() - expected) <= tolerance * math.max(math.abs(expected), 0.1),
          ("%s: %.9g, expected %.9g"):format(name, got:item(), expected))
      end
      near("loss", loss)
      near("penalty", steep)
      for name, p in D:named_parameters() do
        near(name, (p.grad:to("f64") * formula.numbers("probe S." .. name, p.shape)):sum())
      end
    end)
  end

  it("stays finite where real and painted are told apart beyond doubt", function()
    local D = small():to("f32")
    local real, fake = pictures(3, 8, 4)
    real, fake = real:to("f32"), fake:to("f32")
    local last = D:at(-1)
    autograd.no_grad(function() last.weight:mul_(1e4) end)
    if D(real):mean():item() < D(fake):mean():item() then real, fake = fake, real end
    local gradients, loss, steep = learnt(losses.relativistic, D, real, fake, GAMMA)
    local expected, plain_loss, plain_steep = learnt_plainly(losses.relativistic, D, real, fake,
      GAMMA)
    assert.near(plain_loss, loss, 1e-4 * plain_loss)
    assert.near(plain_steep, steep, 1e-3 * plain_steep)
    assert_near(expected, gradients, 1e-3)
  end)

  it("goes by definition through critics with norms", function()
    local D = dcgan.critic { width = 16, height = 16, ndf = 4 }
    assert.is_false(penalty.knows(D))
    assert.is_false(penalty.knows(cover.recipes.tiny.critic { width = 32, height = 16,
      widths = 10 }))
    local real, fake = pictures(4, 16, 16)
    local gradients, _, steep = learnt(losses.relativistic, D, real:to("f32"), fake:to("f32"), 1)
    assert.is_true(steep > 0)
    for _, list in pairs(gradients) do
      for _, value in ipairs(list) do assert.is_true(math.abs(value) < math.huge) end
    end
  end)

  it("weighs what StyleGAN2-ADA's rule says, and a tenth of it in the end", function()
    local o = { penalty = 1, batch = 16, width = 192, height = 64 }
    assert.near(0.1536, penalty.gamma(o, 0), 1e-9)
    assert.near(0.1536 * 0.55, penalty.gamma(o, 0.5), 1e-9)
    assert.near(0.01536, penalty.gamma(o, 1), 1e-9)
    o.penalty = 0
    assert.equal(0, penalty.gamma(o, 0.3))
  end)
end)

describe("the games", function()
  local function identity(x) return x end

  -- Losses at given scores: the critic's and the generator's.
  local function played(name, real, fake)
    local function D(list) return tensor.from(list, { dtype = "f64", requires_grad = true }) end
    local r, f = D { { real } }, D { { fake } }
    local d = losses[name].critic(identity, r, f, 0):item()
    local g = losses[name].generator(identity, f, r)
    return d, g:item(), r.grad:item(), f.grad:item()
  end

  local function softplus(x) return math.log(1 + math.exp(x)) end
  local function sigmoid(x) return 1 / (1 + math.exp(-x)) end

  it("have the papers' losses and slopes", function()
    for name, expected in pairs {
      logistic = { softplus(-0.5) + softplus(-1), softplus(1), -sigmoid(-0.5), sigmoid(-1) },
      hinge = { 0.5, 1, -1, 0 },
      relativistic = { softplus(-1.5), softplus(1.5), -sigmoid(-1.5), sigmoid(-1.5) },
    } do
      local got = { played(name, 0.5, -1) }
      for i = 1, 4 do assert.near(expected[i], got[i], 1e-12) end
    end
  end)
end)

describe("--set flavour", function()
  local function settings(...)
    local list = {}
    for key, value in (... or ""):gmatch("([%w_]+)=(%S+)") do
      list[#list + 1] = { key = key, value = value }
    end
    local options, message = plan.options { recipe = select(2, ...) or "tiny",
      size = { width = 96, height = 32 }, set = list }
    return options and options.settings, message
  end

  it("brings its own defaults, which --set overrides", function()
    local swift, steady = settings(""), settings("flavour=steady")
    assert.are.same({ "logistic", 0, 0.5, 0.999, 0 },
      { swift.loss, swift.penalty, swift.beta1, swift.beta2, swift.decay })
    assert.are.same({ "relativistic", 1, 0, 0.99, 1 },
      { steady.loss, steady.penalty, steady.beta1, steady.beta2, steady.decay })
    assert.equal(3, settings("penalty=3 flavour=steady").penalty)
    assert.equal(0.5, settings("flavour=steady beta1=0.5").beta1)
  end)

  it("says what it knows", function()
    local _, message = settings("flavour=calm")
    assert.equal("--set flavour=calm: steady or swift expected", message)
    _, message = settings("flavour=steady", "dcgan")
    assert.truthy(message:match("^%-%-set flavour: unknown"))
  end)
end)
