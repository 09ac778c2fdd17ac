local nn = require "daub.nn"
local optim = require "daub.optim"
local tensor = require "daub.tensor"

local function raises(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert(not ok, "expected an error like: " .. pattern)
  assert(tostring(message):find(pattern), ("expected %q, got %q"):format(pattern, message))
end

local makers = {
  SGD = { lr = 0.05, momentum = 0.9 },
  RMSprop = { lr = 0.05, momentum = 0.5, centered = true },
  Adam = { lr = 0.1 },
  AdamW = { lr = 0.1 },
}

local function parameter() return tensor.from({ 3, -2 }, { requires_grad = true }) end

local function descend(opt, p, steps)
  for _ = 1, steps do
    opt:zero_grad()
    p:square():sum():backward()
    opt:step()
  end
end

describe("optimiser", function()
  for name, o in pairs(makers) do
    it(name .. " finds the lowest point", function()
      local p = parameter()
      descend(optim[name]({ p }, o), p, 300)
      assert(p:abs():max():item() < 0.1)
    end)

    it(name .. " goes on from its state bit for bit", function()
      local a, b = parameter(), parameter()
      local first = optim[name]({ a }, o)
      descend(first, a, 5)
      nn.init.zeros_(b)
      require("daub.autograd").no_grad(function() b:copy_(a) end)
      local second = optim[name]({ b })
      second:load_state(first:state())
      descend(first, a, 5)
      descend(second, b, 5)
      assert.equal(a:tobytes(), b:tobytes())
    end)
  end

  it("leaves parameters without gradient alone and takes a new rate", function()
    local p, q = parameter(), parameter()
    local opt = optim.SGD({ p, q }, { lr = 1 })
    p.grad = tensor.ones { 2 }
    opt:step()
    assert.same({ 2, -3 }, p:totable())
    assert.same({ 3, -2 }, q:totable())
    opt.options.lr = 0.5
    opt:step()
    assert.same({ 1.5, -3.5 }, p:totable())
    opt:zero_grad()
    assert.is_nil(p.grad)
  end)

  it("steps parameters of different ages and dtypes as if each were alone", function()
    local function run(steps)
      local p, q = parameter(), tensor.from({ 1, 5, 2 }, { dtype = "f64", requires_grad = true })
      local r = tensor.from({ -1 }, { requires_grad = true })
      steps(p, q, r)
      return { p:totable(), q:totable(), r:totable() }
    end
    local function push(opt, list)
      opt:zero_grad()
      for _, x in ipairs(list) do x.grad = (x * 2):detach() end
      opt:step()
    end
    local together = run(function(p, q, r)
      local opt = optim.Adam({ p, q, r }, { lr = 0.1 })
      push(opt, { p, q })
      push(opt, { p, q, r })
    end)
    local apart = run(function(p, q, r)
      local opts = {}
      for i, x in ipairs { p, q, r } do opts[i] = optim.Adam({ x }, { lr = 0.1 }) end
      for _ = 1, 2 do
        push(opts[1], { p })
        push(opts[2], { q })
      end
      push(opts[3], { r })
    end)
    assert.same(apart, together)
  end)

  it("works through transposed gradients", function()
    local p = tensor.ones({ 2, 3 }, { requires_grad = true })
    p:t():reshape({ 6 }):mul(tensor.arange(1, 7)):sum():backward()
    optim.SGD({ p }, { lr = 1 }):step()
    assert.same({ { 0, -2, -4 }, { -1, -3, -5 } }, p:totable())
  end)

  it("refuses misuse", function()
    local p = parameter()
    raises("Adam: unknown option beta %(did you mean betas%?%)", optim.Adam, { p }, { beta = 1 })
    raises("Adam: betas must be two numbers", optim.Adam, { p }, { betas = { 0.9, 1 } })
    raises("SGD: lr is %-1", optim.SGD, { p }, { lr = -1 })
    raises("nesterov needs a momentum", optim.SGD, { p }, { nesterov = true })
    raises("the list of parameters is empty", optim.Adam, {})
    raises("parameter 1 is no leaf", optim.Adam, { tensor.ones { 1 } })
    raises("expected a list", optim.Adam, p)
    raises("parameters 1 and 2 are the same", optim.Adam, { p, p })
    raises("expected the state of an optimiser of 1", function()
      optim.Adam({ p }):load_state { tensors = {}, steps = { 1, 2 } }
    end)
    raises("1.exp_avg", function()
      optim.Adam({ p }):load_state { tensors = {}, steps = { 1 } }
    end)
  end)
end)

describe("ema", function()
  it("follows the weights slowly and lends them out", function()
    local net = nn.Sequential { nn.Linear(2, 1, { bias = false }), nn.BatchNorm2d(1) }
    nn.init.ones_(net:at(1).weight)
    local ema = optim.ema(net, { decay = 0.9 })
    nn.init.constant_(net:at(1).weight, 2)
    ema:update()
    local own = net:at(1).weight:totable()
    local inside = ema:apply(function() return net:at(1).weight:totable()[1][1] end)
    assert.near(1.1, inside, 1e-6)
    assert.same(own, net:at(1).weight:totable())
    assert.is_false(pcall(ema.apply, ema, error))
    assert.same(own, net:at(1).weight:totable())
    local other = optim.ema(net)
    other:load_state(ema:state())
    assert.near(1.1, other:state()["1.weight"]:totable()[1][1], 1e-6)
  end)
end)
