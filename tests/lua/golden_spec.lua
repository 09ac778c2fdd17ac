-- Results of PyTorch (tests/golden/make.py) for layers, functions, optimisers and DCGAN steps.
local F = require "daub.ops"
local autograd = require "daub.autograd"
local daub = require "daub"
local nn = require "daub.nn"
local optim = require "daub.optim"
local safetensors = require "daub.safetensors"
local tensor = require "daub.tensor"

-- luacheck: globals DAUB_TESTS
local function golden(name)
  return assert(safetensors.load(DAUB_TESTS .. "/golden/" .. name .. ".safetensors"))
end

local function sorted(map)
  local names = {}
  for name in pairs(map) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- The largest difference, relative to the size of what is expected.
local function close(got, expected, tolerance, what)
  assert.same(expected.shape, got.shape, what)
  if got:numel() == 0 then return end
  local a, b = got:detach():to("f64"), expected:to("f64")
  local off = (a - b):abs():max():item() / (1 + b:abs():max():item())
  assert(off <= tolerance, ("%s: off by %g, allowed %g"):format(what, off, tolerance))
end

-- A Lua expression of these names.
local function evaluate(text, names)
  names.F, names.nn, names.optim, names.tensor = F, nn, optim, tensor
  return setfenv(assert(loadstring("return " .. text)), names)()
end

-- Entries "prefix…" of a map, without the prefix.
local function below(map, prefix)
  local part = {}
  for name, t in pairs(map) do
    if name:sub(1, #prefix) == prefix then part[name:sub(#prefix + 1)] = t end
  end
  return part
end

describe("as in PyTorch", function()
  local layers, layer_lua = golden "layers"
  for _, name in ipairs(sorted(layer_lua)) do
    for _, dtype in ipairs { "f32", "f64" } do
      it("layer " .. name .. " " .. dtype, function()
        local g = below(layers, name .. "/")
        local layer = evaluate(layer_lua[name], {})
        nn.torch.load_state(layer, below(g, "state/"))
        layer:to(dtype)
        local x = g.x:to(dtype):clone():requires_grad_()
        local y = layer(x)
        close(y, g.y, 3e-6, "y")
        y:backward(g.gy:to(dtype))
        close(x.grad, g.gx, 1e-5, "gradient of x")
        -- gradients travel to PyTorch's layout as values do
        local gradients = {}
        for k, p in layer:named_parameters() do gradients[k] = p.grad end
        local after = nn.torch.state(layer)
        for k, t in pairs(below(g, "after/")) do close(after[k], t, 1e-5, k) end
        autograd.no_grad(function()
          for k, p in layer:named_parameters() do p:copy_(gradients[k]) end
        end)
        local moved = nn.torch.state(layer)
        for k, t in pairs(below(g, "grad/")) do close(moved[k], t, 1e-5, "gradient of " .. k) end
      end)
    end
    if layers[name .. "/eval"] then
      it("layer " .. name .. " in eval mode", function()
        local g = below(layers, name .. "/")
        local layer = evaluate(layer_lua[name], {})
        nn.torch.load_state(layer, below(g, "state/"))
        local state = nn.torch.state(layer)
        for k, t in pairs(below(g, "after/")) do state[k] = t end
        nn.torch.load_state(layer, state)
        close(layer:eval()(g.x), g.eval, 1e-5, "y")
      end)
    end
  end

  local functions, function_lua = golden "functions"
  for _, name in ipairs(sorted(function_lua)) do
    it("function " .. name, function()
      local g = below(functions, name .. "/")
      local x = g.x:clone():requires_grad_()
      local y = evaluate(function_lua[name], { x = x, t = g.t })
      close(y, g.y, 3e-6, "y")
      y:backward(g.gy)
      close(x.grad, g.gx, 1e-5, "gradient of x")
    end)
  end

  local optimisers, optimiser_lua = golden "optimisers"
  for _, name in ipairs(sorted(optimiser_lua)) do
    for _, dtype in ipairs { "f32", "f64" } do
      it("optimiser " .. name .. " " .. dtype, function()
        local p = optimisers.start:to(dtype):clone():requires_grad_()
        local opt = evaluate(optimiser_lua[name], { p = { p } })
        local gradients, path = optimisers.gradients, optimisers[name .. "/path"]
        for step = 1, gradients.shape[1] do
          p.grad = gradients:select(1, step):to(dtype):clone()
          opt:step()
          close(p, path:select(1, step), 1e-6, "step " .. step)
        end
      end)
    end
  end
end)

describe("twenty DCGAN steps", function()
  local g = golden "dcgan"

  local function networks(dtype)
    local w = 8
    local off = { bias = false }
    local up = { stride = 2, padding = 1, bias = false }
    local G = nn.Sequential {
      nn.ConvTranspose2d(16, w * 4, 4, off), nn.BatchNorm2d(w * 4), nn.ReLU(),
      nn.ConvTranspose2d(w * 4, w * 2, 4, up), nn.BatchNorm2d(w * 2), nn.ReLU(),
      nn.ConvTranspose2d(w * 2, w, 4, up), nn.BatchNorm2d(w), nn.ReLU(),
      nn.ConvTranspose2d(w, 3, 4, up), nn.Tanh(),
    }
    local D = nn.Sequential {
      nn.Conv2d(3, w, 4, up), nn.LeakyReLU(0.2),
      nn.Conv2d(w, w * 2, 4, up), nn.BatchNorm2d(w * 2), nn.LeakyReLU(0.2),
      nn.Conv2d(w * 2, w * 4, 4, up), nn.BatchNorm2d(w * 4), nn.LeakyReLU(0.2),
      nn.Conv2d(w * 4, 1, 4, off),
    }
    nn.torch.load_state(G, below(g, "G/"))
    nn.torch.load_state(D, below(g, "D/"))
    return G:to(dtype), D:to(dtype)
  end

  -- The batch of a step, from the formula make.py uses.
  local function real_pictures(step, n, dtype)
    local x = tensor.zeros({ n, 32, 32, 3 }, { dtype = "f64" })
    local p = x:view()
    for k = 0, x:numel() - 1 do p[k] = math.sin(k * (0.37 + 0.01 * step) + 0.5 * step) end
    return x:to(dtype)
  end

  after_each(function()
    daub.exact(false)
    daub.precision "f32"
  end)

  -- Losses of twenty steps, and then what G paints, each within `tolerance`.
  local function check(dtype, tolerance)
    local G, D = networks(dtype)
    local o = { lr = 2e-4, betas = { 0.5, 0.999 } }
    local opt_g, opt_d = optim.Adam(G:parameters(), o), optim.Adam(D:parameters(), o)
    local n, z = g.noise.shape[2], nil
    local function near(got, step, k)
      local expected = g.losses:select(1, step):select(1, k):item()
      local off = math.abs(got:item() - expected) / math.abs(expected)
      assert(off <= tolerance, ("step %d, loss %d: %.9g, expected %.9g"):format(step, k,
        got:item(), expected))
    end
    for step = 1, g.noise.shape[1] do
      z = g.noise:select(1, step):to(dtype):reshape { n, 1, 1, 16 }
      opt_d:zero_grad()
      local d_real = F.bce_with_logits(D(real_pictures(step, n, dtype)), 1)
      d_real:backward()
      local fake = G(z)
      local d_fake = F.bce_with_logits(D(fake:detach()), 0)
      d_fake:backward()
      opt_d:step()
      opt_g:zero_grad()
      local loss = F.bce_with_logits(D(fake), 1)
      loss:backward()
      opt_g:step()
      near(d_real, step, 1)
      near(d_fake, step, 2)
      near(loss, step, 3)
    end
    G:eval()
    close(G(z):mean { 1, 2, 3 }, g.painted_mean, tolerance, "what G paints")
  end

  it("have PyTorch's losses in f64", function() check("f64", 1e-9) end)

  it("have PyTorch's losses in f32", function() check("f32", 1e-3) end)

  it("have PyTorch's losses directly convolved", function()
    daub.exact(true)
    check("f32", 1e-3)
  end)

  it("have PyTorch's losses within 3 % where all products are of bf16", function()
    if not daub.info().bf16 then return pending("this processor has no bf16 products") end
    daub.exact(true) -- also where filtering would be faster
    daub.precision "bf16"
    check("f32", 3e-2)
  end)
end)
