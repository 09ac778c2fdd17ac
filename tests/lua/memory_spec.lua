-- What training does with memory: nothing more from the system after the first steps, and what the
-- tape releases is never what somebody still holds.
local A = require "daub.core.array"
local autograd = require "daub.autograd"
local F = require "daub.ops"
local losses = require "daub.learn.losses"
local nn = require "daub.nn"
local optim = require "daub.optim"
local plan = require "daub.learn.plan"
local system = require "daub.core.system"
local tensor = require "daub.tensor"

local function step_of(recipe, o)
  local network = plan.network(recipe)
  for name, value in pairs(network.defaults) do o[name] = o[name] or value end
  local G, D = network.generator(o), network.critic(o)
  local adam_g, adam_d = optim.Adam(G:parameters()), optim.Adam(D:parameters())
  local ema, game = optim.ema(G), losses[o.loss or "logistic"]
  return function()
    local real = tensor.randn { o.batch, o.height, o.width, 3 }
    local fake = G(tensor.randn { o.batch, o.latent })
    adam_d:zero_grad()
    game.critic(D, real, fake:detach(), o.gamma or 0)
    adam_d:step()
    D:requires_grad_(false)
    adam_g:zero_grad()
    game.generator(D, fake, real):backward()
    adam_g:step()
    D:requires_grad_(true)
    ema:update()
  end
end

describe("training", function()
  for name, o in pairs {
    dcgan = { width = 64, height = 64, batch = 32, ngf = 16, ndf = 16 },
    lite = { width = 96, height = 32, batch = 24 },
    ["lite, steady"] = { width = 96, height = 32, batch = 16, flavour = "steady",
      loss = "relativistic", gamma = 0.1 },
  } do
    local recipe = name:match("%w+")
    it(name .. " takes nothing from the system after its first steps", function()
      local step = step_of(recipe, o)
      for _ = 1, 8 do step() end
      local before = system.memory()
      for _ = 1, 3 do step() end
      local after = system.memory()
      assert.equal(before.system_calls, after.system_calls)
    end)
  end
end)

describe("the collector", function()
  it("lets go of arrays though the Lua heap is large", function()
    local text = ("x"):rep(2 ^ 27) -- as a checkpoint's bytes
    collectgarbage()
    local before, most = system.memory().in_use, 0
    for _ = 1, 300 do
      A.full({ 2 ^ 18 }, 0, "f32") -- 1 MiB that nobody keeps
      most = math.max(most, system.memory().in_use)
    end
    assert.is_true(most - before < 2 ^ 27)
    assert.equal(2 ^ 27, #text)
  end)
end)

describe("the tape", function()
  local function leaf(values) return tensor.from(values, { requires_grad = true }) end

  it("leaves alone what somebody holds", function()
    local x, w = leaf { 1, 2, 3 }, leaf { 4, 5, 6 }
    local h = x * w
    local y = F.relu(h) + h -- h's gradient is a sum
    local seed = tensor.ones { 3 }
    y:backward(seed, { retain_graph = true })
    y:backward(seed)
    for _, t in ipairs { x, w, h, y, seed } do assert.truthy(t:sum():item()) end
    assert.same({ 16, 20, 24 }, x.grad:totable())
    assert.same({ 4, 8, 12 }, w.grad:totable())
  end)

  it("hands on gradients that several inputs share", function()
    local a, b, c = leaf { 1, 2 }, leaf { 3, 4 }, leaf { 5, 6 }
    local sum = (a + b) + (a * 1 + c:reshape { 2, 1 }:reshape { 2 })
    local list = autograd.grad((sum + sum):sum(), { sum, a, b, c })
    assert.same({ 1, 1 }, { list[1]:totable()[1] / 2, list[1]:totable()[2] / 2 })
    assert.same({ 4, 4 }, list[2]:totable())
    assert.same({ 2, 2 }, list[3]:totable())
    assert.same({ 2, 2 }, list[4]:totable())
  end)

  it("adds a pooling's gradient to what has come before, where that is its own", function()
    local x = tensor.rand({ 1, 4, 4, 2 }, { dtype = "f64", requires_grad = true })
    local weight = tensor.rand({ 4, 4, 1 }, { dtype = "f64" })
    local h = x * 3
    local y = F.avg_pool2d(h, 2):sum() + (h * weight):sum()
    local slope = ((weight + 0.25) * 3):expand(x.shape):totable()
    for _, o in ipairs { { retain_graph = true }, { create_graph = true }, {} } do
      assert.same(slope, autograd.grad(y, x, o):totable())
    end
    h = x * 3
    local seed = h:detach():ones_like() -- comes to h first, and is the caller's
    local g = autograd.grad({ F.avg_pool2d(h, 1), h }, x, { grad_outputs = { seed, seed } })
    assert.equal(6, g:max():item())
    assert.equal(1, seed:max():item())
  end)

  it("adds to gradients that are there already", function()
    local layer = nn.Linear(3, 2)
    local x = tensor.ones { 4, 3 }
    layer(x):sum():backward()
    local held, first = layer.weight.grad, layer.weight.grad:totable()
    layer(x):sum():backward()
    assert.equal(held, layer.weight.grad)
    assert.same({ first[1][1] * 2, first[2][3] * 2 },
      { held:totable()[1][1], held:totable()[2][3] })
  end)

  it("releases other gradients at once", function()
    collectgarbage()
    collectgarbage("stop")
    local x = tensor.ones({ 256, 1024 }, { requires_grad = true })
    local y = x
    for _ = 1, 8 do y = y * 2 end
    local before = system.memory().in_use
    y:sum():backward()
    local grown = system.memory().in_use - before
    collectgarbage("restart")
    assert.is_true(grown < 2.5 * 2 ^ 20, ("grew by %d bytes"):format(grown)) -- x.grad, no more
    assert.equal(256, x.grad:max():item())
  end)
end)

describe("a released array", function()
  it("says so when it is used", function()
    local a = A.full({ 2, 2 }, 1)
    local view = A.select(a, 1, 1)
    A.release_(a)
    A.release_(a)
    local ok, message = pcall(A.numel, a)
    assert.is_false(ok)
    assert.truthy(message:find("the memory of this array was released", 1, true))
    assert.same({ 1, 1 }, A.totable(view))
  end)
end)
