-- Enlarging: what an untaught network leaves alone, tiles without seams, chains, files.
local Model = require "daub.upscale.model"
local apply = require "daub.upscale.apply"
local autograd = require "daub.autograd"
local checkpoint = require "daub.checkpoint"
local daub = require "daub"
local enlarging = require "support.enlarging"
local fixture = require "support.learning"
local lanczos = require "daub.upscale.lanczos"
local network = require "daub.upscale.network"
local nn = require "daub.nn"
local recipes = require "daub.recipes"
local safetensors = require "daub.safetensors"
local system = require "daub.core.system"
local tensor = require "daub.tensor"

local SMALL, restless = enlarging.small, enlarging.restless
local picture, largest = enlarging.picture, enlarging.largest

describe("an upscaler that learnt nothing", function()
  it("adds nothing to Lanczos", function()
    local net = network.new(4, SMALL)
    assert.are.equal(0, largest(apply.added(net, picture(9, 30))))
    local x = picture(9, 30)
    local y = lanczos(x:unsqueeze(1), 4):select(1, 1):clamp(-1, 1)
    assert.are.equal(0, largest(apply.step(net, x, 1) - y))
  end)

  it("still sees the picture in its last layer", function()
    daub.seed(1)
    local seen = network.new(4, network.defaults).body(picture(16, 48):unsqueeze(1))
    local by_channel = seen:reshape { 16 * 48, 32 }:std(1)
    assert.is_true(by_channel:mean():item() > 0.2, by_channel:mean():item())
  end)

  it("leaves a painting to Lanczos alone", function()
    local x = picture(16, 48)
    local y, about = apply.learned(Model.new(SMALL)):enlarge(x, 300, 100)
    assert.are.equal("lanczos", about.by)
    assert.are.equal(y:tobytes(), (apply.lanczos():enlarge(x, 300, 100)):tobytes())
  end)
end)

describe("what a network adds", function()
  it("is what PyTorch's layers give", function()
    local golden = assert(safetensors.load(recipes.root() .. "/tests/golden/upscale.safetensors"))
    for _, factor in ipairs(network.factors) do
      local net, tag = network.new(factor, { features = 4, layers = 2 }), "x" .. factor
      local state = {}
      for name, t in pairs(golden) do
        local weight = name:match("^" .. tag .. "%.(.*)")
        if weight then state[weight] = t end
      end
      nn.torch.load_state(net, state)
      assert.is_true(largest(net(golden[tag .. ":x"]) - golden[tag .. ":y"]) < 1e-6)
    end
  end)

  it("is the same in tiles as in one piece", function()
    for _, factor in ipairs(network.factors) do
      local net, x = restless(1, 1).nets[factor], picture(37, 70)
      local whole = autograd.no_grad(function() return net(x:unsqueeze(1)):select(1, 1) end)
      assert.is_true(largest(whole) > 0.1)
      for _, tile in ipairs { 8, 16, 33 } do
        assert.is_true(largest(apply.added(net, x, tile) - whole) < 1e-6, "tile " .. tile)
      end
    end
  end)

  it("depends on no pixel beyond its reach", function()
    local net, x = restless(1, 1).nets[2], picture(20, 40)
    local before = apply.added(net, x)
    x:narrow(2, 31, 10):fill_(0)
    local difference = (apply.added(net, x) - before):narrow(2, 1, 2 * (30 - net:reach()))
    assert.are.equal(0, largest(difference))
  end)
end)

describe("a chain", function()
  local model = restless(1, 1)
  it("takes the fewest steps", function()
    for times, steps in pairs { [0.5] = "", [1] = "", [1.5] = "2", [2] = "2", [3] = "4",
      [7.8125] = "4 2", [15.625] = "4 4", [31.25] = "4 4 2" } do
      assert.are.equal(steps, table.concat(apply.plan(model, 96, 32, times), " "))
    end
  end)

  it("leaves out what was not better than Lanczos", function()
    local other = restless(1, 0)
    assert.are.same({ 4 }, apply.plan(other, 192, 64, 7.8))
    other.weights.first[4] = 0
    assert.are.same({ 2 }, apply.plan(other, 192, 64, 7.8))
    other.weights.later[2] = 0.5
    assert.are.same({ 2, 2, 2 }, apply.plan(other, 192, 64, 7.8))
  end)

  it("ends where pictures become too large for networks", function()
    assert.are.same({ 4 }, apply.plan(model, 1500, 500, 16))
    assert.are.same({}, apply.plan(model, 6000, 6000, 4))
  end)

  it("leaves black and white as they are", function()
    local enlarger, x = apply.learned(restless(1, 1)), tensor.ones { 16, 48, 3 }
    for _, factor in ipairs(network.factors) do
      enlarger.model.nets[factor] = network.new(factor, SMALL)
    end
    assert.is_true(largest(enlarger:enlarge(x, 300, 100) - 1) < 1e-4)
    local grey = enlarger:enlarge(x * 0, 300, 100)
    assert.is_true(math.abs(grey:std():item() - 0.01) < 0.001)
  end)

  it("fills the size asked for, the same way each time", function()
    local x, enlarger = picture(32, 96), apply.learned(model, "abc")
    local y, about = enlarger:enlarge(x, 250, 100)
    assert.are.same({ 100, 250, 3 }, y.shape)
    assert.are.same({ by = "learned", steps = { "x4" }, upscaler = "abc" }, about)
    assert.are.equal(y:tobytes(), (enlarger:enlarge(x, 250, 100)):tobytes())
    assert.are_not.equal(y:tobytes(), (apply.lanczos():enlarge(x, 250, 100)):tobytes())
  end)
end)

describe("a model's file", function()
  local folder
  setup(function() folder = system.temporary_directory("daub-upscale") end)
  teardown(function() fixture.remove(folder) end)

  it("gives back what was saved", function()
    local model = restless(0.5, 0.25)
    model.about = { steps = 3 }
    assert(model:save(folder .. "/a.safetensors"))
    local again = assert(Model.load(folder .. "/a.safetensors"))
    assert.are.same(model.weights, again.weights)
    assert.are.same({ steps = 3 }, again.about)
    local x = picture(16, 48)
    assert.are.equal(apply.added(model.nets[4], x):tobytes(),
      apply.added(again.nets[4], x):tobytes())
  end)

  it("is refused in one line when it is no upscaler's", function()
    local path = folder .. "/b.safetensors"
    for what, spoil in pairs {
      ["format 9"] = function(s) s.format = 9 end,
      ["not an upscaler"] = function(s) s.shape = nil end,
      ["features: a whole number"] = function(s) s.shape.features = 1e9 end,
      ["layers: a whole number"] = function(s) s.shape.layers = 0.5 end,
      ["weights: numbers"] = function(s) s.weights.first.x4 = 1.5 end,
      ["says nothing"] = function(s) s.about = nil end,
      ["load_state"] = function(s) s.nets.x2["last.weight"] = tensor.zeros { 3, 3, 8, 11 } end,
      ["no finite number"] = function(s) s.nets.x4["last.bias"]:fill_(0 / 0) end,
    } do
      local state = Model.new(SMALL):state()
      for _, name in ipairs { "x2", "x4" } do
        for key, t in pairs(state.nets[name]) do state.nets[name][key] = t:detach() end
      end
      spoil(state)
      assert(checkpoint.save(path, state))
      local model, message, code = Model.load(path)
      assert.is_nil(model)
      assert.are.equal("decode", code)
      assert.truthy(message:find(what, 1, true), message)
      assert.is_nil(message:find("\n"))
    end
    assert(system.write_file(path, "nothing"))
    assert.are.equal("decode", select(3, Model.load(path)))
    assert.are.equal("missing", select(3, apply.of_run(folder, "learned")))
    assert.are.equal("Lanczos", assert(apply.of_run(folder)).by)
  end)
end)
