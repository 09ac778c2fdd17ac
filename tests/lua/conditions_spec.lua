-- Conditions: what painter and critic are told of pictures, in learning and in painting.
local autograd = require "daub.autograd"
local conditions = require "daub.learn.conditions"
local cover = require "daub.learn.networks.cover"
local daub = require "daub"
local fixture = require "support.learning"
local losses = require "daub.learn.losses"
local nn = require "daub.nn"
local palette = require "daub.looks.palette"
local penalty = require "daub.learn.penalty"
local plan = require "daub.learn.plan"
local run = require "daub.learn.run"
local system = require "daub.core.system"
local tensor = require "daub.tensor"
local themes = require "daub.looks.themes"
local traits = require "daub.looks.traits"

-- The looks of 40 pictures, as a catalogue has them.
local function looks()
  local generator = { generator = tensor.generator(5) }
  local found = tensor.randn({ 40, traits.count }, generator)
  return { traits = found, themes = themes.fit(found),
    palettes = tensor.rand({ 40, palette.colours, 3 }, generator) }
end

describe("conditions", function()
  local all = looks()
  local clusters = all.themes:of(all.traits):totable()
  local which = tensor.from({ 7, 31, 7 }, { dtype = "i64" })

  it("hold the cluster of each picture, and its palette unless that is left out", function()
    local rows = conditions.new("both", all):of(which, tensor.from { 0.9, 0.7, 0.2 })
    assert.are.same({ 3, conditions.width("both") }, rows.shape)
    for i, picture in ipairs { 7, 31, 7 } do
      local row = rows:select(1, i):totable()
      for place = 1, themes.clusters do
        assert.are.equal(place == clusters[picture] and 3 or 0, row[place])
      end
      assert.are.equal(i < 3 and 1 or 0, row[24])
      for place = 9, 23 do assert.are.equal(i == 3, row[place] == 0) end
    end
    local colours = all.palettes:select(1, 31):reshape { 15 }:totable()
    assert.is_true(math.abs((colours[1] - 0.55) * 4 - rows:totable()[2][9]) < 1e-5)
    assert.is_true(math.abs(colours[15] * 12 - rows:totable()[2][23]) < 1e-5)
  end)

  it("are as wide as their kind", function()
    for kind, width in pairs { none = 0, theme = 8, palette = 16, both = 24 } do
      assert.are.equal(width, conditions.width(kind))
      if kind ~= "none" then
        local rows = conditions.new(kind, all):of(which, tensor.zeros { 3 })
        assert.are.equal(width, rows.shape[2])
      end
    end
    assert.are.equal(0, conditions.width(nil))
    assert.has_error(function() conditions.new("none", all) end)
  end)

  it("are drawn as the pictures have them, or as they are wanted", function()
    local told = conditions.from(conditions.new("both", all):state())
    local dice = tensor.rand({ 2000, 2 }, { generator = tensor.generator(1) })
    local shares = told:drawn(dice):mean(1):totable()
    local counts = {}
    for _, cluster in ipairs(clusters) do counts[cluster] = (counts[cluster] or 0) + 1 end
    for cluster = 1, 8 do
      assert.is_true(math.abs(shares[cluster] / 3 - (counts[cluster] or 0) / 40) < 0.05)
    end
    assert.is_true(math.abs(shares[24] - 0.5) < 0.05)
    local blue = assert(palette.parse("#2040ff"))
    for _, row in ipairs(told:drawn(dice, { theme = "text", palette = blue }):totable()) do
      assert.are.equal(3, row[3] + row[4])
      assert.are.equal(1, row[24])
      assert.is_true(math.abs(row[11] - row[23]) < 1e-5)
    end
  end)

  it("keep the clusters of a checkpoint", function()
    local told, again = conditions.new("theme", all), conditions.new("theme", all)
    local moved = { themes = { centres = all.themes.centres:flip(1) }, kind = "theme" }
    again:load_state(moved)
    assert.are_not.equal(told.clusters:tobytes(), again.clusters:tobytes())
    again:load_state(told:state())
    assert.are.equal(told.clusters:tobytes(), again.clusters:tobytes())
  end)
end)

describe("a critic that is told", function()
  local x = tensor.rand({ 4, 16, 32, 3 }, { generator = tensor.generator(2) }) * 2 - 1
  local rows = tensor.rand({ 4, 24 }, { generator = tensor.generator(3) })

  -- with an embedding that is no longer 0
  local function critic(flavour)
    daub.seed(4)
    local D = cover.recipes.tiny.critic { width = 32, height = 16, widths = 10, condition = "both",
      flavour = flavour }
    for name, p in pairs(D:named_parameters()) do
      if name:match("embedding$") then autograd.no_grad(function() nn.init.normal_(p, 0, 1) end) end
    end
    return D
  end

  it("weighs what it is told, each row for its picture", function()
    local D = critic("steady")
    local untold = D(x):totable()
    conditions.tell(D, rows)
    local told = D(x):totable()
    conditions.tell(D, tensor.cat({ rows:narrow(1, 2, 1), rows:narrow(1, 2, 3) }, 1))
    local other = D(x):totable()
    for i = 1, 4 do
      assert.is_true(math.abs(untold[i][1] - told[i][1]) > 1e-3)
      assert.are.equal(i > 1, math.abs(told[i][1] - other[i][1]) < 1e-5)
    end
    conditions.tell(D, nil)
    assert.are.same(untold, D(x):totable())
  end)

  it("has the penalty's exact gradient", function()
    local found = {}
    for i, exact in ipairs { true, false } do
      local D = critic("steady")
      conditions.tell(D, rows)
      assert.is_truthy(penalty.knows(D))
      if not exact then -- a forward of its own is one that the exact pass does not know
        D.forward = function(self, y) return getmetatable(self).forward(self, y) end
      end
      assert.are.equal(exact, penalty.knows(D))
      losses.relativistic.critic(D, x, x:flip(3), 0.7)
      found[i] = {}
      for name, p in pairs(D:named_parameters()) do found[i][name] = p.grad end
    end
    for name, gradient in pairs(found[2]) do
      local apart = (found[1][name] - gradient):norm():item()
      assert.is_true(apart <= 1e-4 * gradient:norm():item() + 1e-7, name)
    end
  end)
end)

describe("a run with conditions", function()
  local folder, pictures
  local words = fixture.small.lite .. " --set condition=both"
  setup(function()
    pictures, folder = fixture.pictures(30), system.temporary_directory("daub-conditions")
    assert.are.equal(0, (fixture.train(pictures, folder .. "/run", words .. " --steps 4")))
  end)
  teardown(function()
    fixture.remove(folder)
    fixture.remove(pictures)
  end)

  it("goes on bit for bit", function()
    assert.are.equal(0, (fixture.train(pictures, folder .. "/stopped", words .. " --steps 2")))
    assert.are.equal(0, (fixture.train(pictures, folder .. "/stopped", "--resume --steps 4")))
    local name = "/checkpoints/step-000004.safetensors"
    assert.are.equal(system.sha256_file(folder .. "/run" .. name),
      system.sha256_file(folder .. "/stopped" .. name))
  end)

  it("paints without being told, a latent always the same, and as it is told", function()
    local r = assert(run.read(folder .. "/run"))
    local state = assert(r:load())
    local latent = r.options.settings.latent
    local G = assert(plan.painter(r.options, state))
    local z = tensor.randn({ 3, latent }, { generator = tensor.generator(1) })
    local painted = autograd.no_grad(function() return G(z) end)
    assert.are.same({ 3, 16, 32, 3 }, painted.shape)
    assert.are.equal(G:complete(z):tobytes(), G:complete(G:complete(z)):tobytes())
    assert.are.equal(G:complete(z):narrow(1, 2, 1):contiguous():tobytes(),
      G:complete(z:narrow(1, 2, 1)):tobytes())
    local told = assert(plan.painter(r.options, state, { theme = "landscape" }))
    for _, row in ipairs(told:complete(z):narrow(2, latent + 1, 2):sum(2):totable()) do
      assert.are.equal(3, row)
    end
    state.conditions.clusters = tensor.ones({ 27 }, { dtype = "i64" })
    local none, message = plan.painter(r.options, state, { theme = "text" })
    assert.is_nil(none)
    assert.truthy(message:match("no picture .* is called text"))
  end)

  it("is none of dcgan's", function()
    local code, message = fixture.train(pictures, folder .. "/dcgan",
      fixture.small.dcgan .. " --steps 1 --set condition=theme")
    assert.are.equal(2, code)
    assert.truthy(message:match("%-%-set condition: unknown"))
  end)
end)
