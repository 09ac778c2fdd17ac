-- Critics of a run: who judges when, and that a run which hands over goes on where it stopped.
local Critics = require "daub.learn.critics"
local cover = require "daub.learn.networks.cover"
local fixture = require "support.learning"
local losses = require "daub.learn.losses"
local optim = require "daub.optim"
local plan = require "daub.learn.plan"
local run = require "daub.learn.run"
local system = require "daub.core.system"
local tensor = require "daub.tensor"

local function settings(...)
  local list = { { key = "widths", value = "10" } }
  for key, value in (...):gmatch("([%w_]+)=(%S+)") do
    list[#list + 1] = { key = key, value = value }
  end
  return plan.shape(assert(plan.options { recipe = "tiny", size = { width = 32, height = 16 },
    set = list }))
end

local network = cover.recipes.tiny

local function adam()
  return optim.Adam({ tensor.zeros({ 1 }, { requires_grad = true }) }, { betas = { 0.5, 0.999 } })
end

describe("a run's critics", function()
  it("are one, when nobody takes over", function()
    local critics = Critics.new(network, settings "flavour=steady lr_critic=1e-3")
    assert.are.equal(1, #critics.optimisers)
    local parts = critics:parts {}
    assert.is_nil(parts.handover)
    local critic, alone = critics:turn(1, 0, adam())
    assert.are.equal(parts.critic, critic.network)
    assert.are.equal(losses.relativistic, critic.game)
    assert.near(0.0002 * 32 * 16 / 32, critic.gamma, 1e-12)
    assert.are.equal(1e-3, critic.adam.options.lr)
    assert.is_false(alone)
  end)

  it("are two where a steady one takes over, which first learns alone", function()
    local critics, adam_g = Critics.new(network, settings "handover=0.5"), adam()
    local steps, own = 200, { swift = 0, alone = 0, both = 0 }
    for step = 1, steps do
      local critic, alone = critics:turn(step, (step - 1) / steps, adam_g)
      local kind = critic == critics.first and "swift" or alone and "alone" or "both"
      own[kind] = own[kind] + 1
      assert.are.equal(kind == "swift" and losses.logistic or losses.relativistic, critic.game)
      assert.are.equal(kind == "swift" and 0.5 or 0, adam_g.options.betas[1])
      if step == 1 then assert.are.equal(0, critic.gamma) end
    end
    assert.are.same({ swift = 100, alone = 4, both = 96 }, own)
    assert.near(0.1, critics.heir.gamma / (0.0002 * 32 * 16 / 32), 1e-3)
  end)

  it("do not go back to the first in a run that gets longer", function()
    local critics = Critics.new(network, settings "handover=0.5")
    critics:turn(51, 0.5, adam())
    local again = Critics.new(network, settings "handover=0.5")
    again:load_state(critics:state())
    local critic, alone = again:turn(101, 0.2, adam())
    assert.are.equal(again.heir, critic)
    assert.is_false(alone)
  end)

  it("refuse to hand over from steady to steady", function()
    local _, message = plan.options { recipe = "tiny", size = { width = 32, height = 16 },
      set = { { key = "flavour", value = "steady" }, { key = "handover", value = "0.4" } } }
    assert.truthy(message:match("^%-%-set handover: "))
  end)
end)

describe("daub train with a critic that takes over", function()
  local folder, pictures
  setup(function()
    pictures = fixture.pictures(12)
    folder = system.temporary_directory("daub-critics")
  end)
  teardown(function()
    fixture.remove(folder)
    fixture.remove(pictures)
  end)

  it("ends in the same bytes after a stop", function()
    local words = fixture.small.lite .. " --set handover=0.4 --steps 6"
    assert.are.equal(0, fixture.train(pictures, folder .. "/whole", words))
    local process = fixture.start(pictures, folder .. "/parts", words .. " --save-every 0 --json")
    local text = ""
    repeat
      text = text .. assert(process:read(60))
    until select(2, text:gsub('"saved"', "")) >= 4
    process:kill("int")
    process:wait(60)
    process:close()
    assert.are.equal(0, fixture.train(pictures, folder .. "/parts", "--resume --steps 6"))
    local sums = {}
    for i, name in ipairs { "whole", "parts" } do
      sums[i] = system.sha256_file(folder .. "/" .. name .. "/checkpoints/step-000006.safetensors")
    end
    assert.are.equal(sums[1], sums[2])
  end)

  it("has trained both, and its last is the steady one", function()
    local r = assert(run.read(folder .. "/whole"))
    local state = assert(r:load())
    assert.are.same({ since = 4, settled = 5 }, state.handover)
    assert.are.same({ 3, 3, 5 }, { state.adam_d.steps[1], state.adam_heir.steps[1],
      state.adam_g.steps[1] })
    local shape = plan.shape(r.options)
    local D = Critics.last(plan.network(r.options.recipe), shape, state)
    assert.are.same(D:state()["1.weight"]:totable(), state.heir["1.weight"]:totable())
    state.handover.since = 0
    D = Critics.last(plan.network(r.options.recipe), shape, state)
    assert.are.same(D:state()["1.weight"]:totable(), state.critic["1.weight"]:totable())
  end)
end)
