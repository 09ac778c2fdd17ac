-- Where training ends does not hang on how convolutions are computed; and what tells how far
-- paintings are from real pictures.
local Step = require "daub.bench.step"
local conv = require "daub.core.conv"
local fixture = require "support.learning"
local json = require "daub.json"
local pyramid = require "daub.measure.pyramid"
local spread = require "daub.bench.spread"
local swd = require "daub.measure.swd"
local system = require "daub.core.system"
local tensor = require "daub.tensor"
local thumbnails = require "daub.measure.thumbnails"

-- Smooth pictures {n, height, width, 3} in -1 … 1, others for another seed.
local function pictures(n, seed, height, width)
  local generator = { generator = tensor.generator(seed) }
  local coarse = tensor.rand({ n, height / 8, width / 8, 3 }, generator) * 1.6 - 0.8
  local index = { {}, {} }
  for i, side in ipairs { height, width } do
    for j = 1, side do index[i][j] = math.ceil(j / 8) end
  end
  return coarse:index_select(2, index[1]):index_select(3, index[2])
    + tensor.randn({ n, height, width, 3 }, generator) * 0.05
end

local function apart(a, b, o)
  local found = swd.between(swd.describe(a, o), swd.describe(b, o))
  found.mean, found.std = thumbnails.between(thumbnails.of(a), thumbnails.of(b))
  return found
end

describe("the Laplacian pyramid", function()
  -- from scipy.ndimage.convolve(mode = "mirror") with the filter [1 4 6 4 1]^2 / 256
  local expected = {
    { 32, 48, { -0.46589907, -0.25047253, 0.17045741, 0.15927419, 0.43850806, 0.49886593 },
      117.91787899 },
    { 33, 37, { -0.46589907, -0.25047253, 0.17045741, 0.00288243, 0.43850806, 0.49886593 },
      93.60662577 },
  }
  for _, case in ipairs(expected) do
    local height, width, values, squares = unpack(case)
    it(("is that of scipy's filters at %dx%d"):format(width, height), function()
      local x = {}
      for i = 0, height * width - 1 do
        local row, column = math.floor(i / width), i % width
        x[i + 1] = (column * column * 7 + row * 13 + column * row * 3) % 31 / 31
      end
      local levels = pyramid(tensor.from(x, { shape = { 1, height, width, 1 } }))
      assert.equal(2, #levels)
      local fine, coarse = levels[1]:reshape { height, width }:totable(), levels[2]
      assert.same({ 1, math.ceil(height / 2), math.ceil(width / 2), 1 }, coarse.shape)
      coarse = coarse:select(1, 1):select(3, 1):totable()
      local found = { fine[1][1], fine[1][2], fine[6][8], fine[height][width], coarse[1][1],
        coarse[4][5] }
      for i, value in ipairs(values) do assert.near(value, found[i], 2e-6) end
      assert.near(squares, levels[1]:square():sum():item(), 1e-3)
    end)
  end

  it("ends where the shorter side would fall below 16", function()
    assert.equal(3, #pyramid(tensor.zeros { 1, 64, 192, 3 }))
    assert.equal(1, #pyramid(tensor.zeros { 1, 16, 48, 3 }))
    assert.equal(1, #pyramid(tensor.zeros { 1, 30, 30, 3 }))
  end)
end)

describe("the distance of pictures", function()
  local some, others = pictures(24, 1, 32, 48), pictures(24, 2, 32, 48)

  it("is 0 for the same, and the same for the same seed", function()
    assert.same({ swd = 0, levels = { 0, 0 }, mean = 0, std = 0 },
      apart(some, some:clone()))
    assert.same(apart(some, others), apart(some, others))
    assert.are_not.equal(apart(some, others).swd, apart(some, others, { seed = 2 }).swd)
  end)

  it("grows with what is done to the pictures", function()
    local floor = apart(some, others)
    assert.is_true(floor.swd > 0 and floor.mean > 0)
    local noise = tensor.randn(others.shape, { generator = tensor.generator(3) })
    local before = floor.levels[1]
    for _, strength in ipairs { 0.1, 0.2, 0.4, 0.8 } do
      local level = apart(some, others + noise * strength).levels[1]
      assert.is_true(level > before)
      before = level
    end
    assert.is_true(before > 1.5 * floor.levels[1])
  end)

  it("tells of brightness and of how much pictures differ", function()
    local brighter = apart(some, some + 0.1)
    assert.near(12.75, brighter.mean, 1e-3)
    assert.near(0, brighter.std, 1e-3)
    assert.near(0, brighter.swd, 0.1) -- patches' means are taken out
    local mean = some:mean(1, true)
    local alike = apart(some, (some - mean) * 0.5 + mean)
    assert.near(0, alike.mean, 1e-3)
    assert.is_true(alike.std > 10)
    local collapsed = apart(some, some:narrow(1, 1, 1):expand(some.shape))
    assert.is_true(collapsed.swd > 1.5 * apart(some, others).swd)
  end)

  it("takes pictures of one colour", function()
    local d = apart(some, tensor.zeros(some.shape))
    assert.is_true(d.swd > 0 and d.swd < math.huge)
  end)

  it("refuses what cannot be compared", function()
    local function raises(pattern, f, ...)
      local ok, message = pcall(f, ...)
      assert.is_false(ok)
      assert.truthy(tostring(message):find(pattern), message)
    end
    raises("expected f32 pictures", swd.describe, tensor.zeros({ 4, 8, 8, 3 },
      { dtype = "u8" }))
    raises("at least 7x7 pixels, got f32 {4, 6, 9, 3}", swd.describe,
      tensor.zeros { 4, 6, 9, 3 })
    raises("got f32 {1, 8, 8, 3}", swd.describe, tensor.zeros { 1, 8, 8, 3 })
    raises("patches", swd.describe, some, { patches = 0 })
    raises("as many pictures of one size", swd.between, swd.describe(some),
      swd.describe(some:narrow(1, 1, 12)))
  end)
end)

describe("Student's test", function()
  it("gives the values of scipy.stats.ttest_ind", function()
    local mean, std = spread.of { 1.2, 1.4, 1.1 }
    assert.near(1.2333333, mean, 1e-6)
    assert.near(0.1527525, std, 1e-6)
    local d = spread.compare({ 1.2, 1.4, 1.1 }, { 1.3, 1.2, 1.5 })
    assert.near(0.1, d.difference, 1e-9)
    assert.near(0.8017837, d.t, 1e-6)
    assert.near(0.4676047, d.p, 1e-6)
    assert.near(0.0886776, spread.compare({ 1, 2 }, { 4, 6 }).p, 1e-6)
    assert.near(0.0557665, spread.compare({ 1, 2, 3, 4, 5 }, { 3, 4, 6, 8, 9 }).p, 1e-6)
    assert.equal(1, spread.compare({ 1, 2 }, { 1, 2 }).p)
    assert.equal(0, spread.compare({ 1, 1 }, { 2, 2 }).p)
    assert.has_error(function() spread.compare({ 1 }, { 2 }) end)
    assert.has_error(function() spread.compare({ 1, 2, 3 }, { 1, 2 }) end)
  end)
end)

describe("training by filtering", function()
  local recipes = {
    dcgan = { batch = 4, ngf = 16, ndf = 16 }, lite = { batch = 4, widths = 10 },
  }
  after_each(function() conv.algorithm("table") end)

  -- Off by little after one step: Adam's first one is whole where a gradient is next to 0, with
  -- either sign, so weights of a few places part for good.
  local LOSS, WEIGHTS = 1e-3, 1e-4

  -- Losses of two steps and the networks after them, and how far the generator went.
  local function two_steps(recipe, algorithm)
    conv.algorithm(algorithm)
    local step = Step.new { recipe = recipe, size = { width = 96, height = 32 },
      set = recipes[recipe] }
    local before = step.generator:state()
    for name, weight in pairs(before) do before[name] = weight:clone() end
    local losses = {}
    for i = 1, 4, 2 do losses[i], losses[i + 1] = step() end
    return losses, step, before
  end

  local function squares(a, b)
    local sum = 0
    for name, weight in pairs(a) do sum = sum + (weight - b[name]):square():sum():item() end
    return sum
  end

  for recipe in pairs(recipes) do
    it("goes where " .. recipe .. " goes directly", function()
      local direct, exact, before = two_steps(recipe, "direct")
      local filtered, step = two_steps(recipe, "winograd")
      for i, loss in ipairs(direct) do assert.near(loss, filtered[i], LOSS * math.abs(loss)) end
      assert.near(direct[1], filtered[1], 1e-5 * direct[1])
      local moved = squares(before, exact.generator:state())
      local off = squares(step.generator:state(), exact.generator:state())
      assert.is_true(off > 0, "nothing was filtered")
      assert.is_true(off < WEIGHTS * moved, ("off by %g of %g"):format(off, moved))
    end)
  end

  it("can be done exactly, with equal bytes whether stopped or not", function()
    local covers, folder = fixture.pictures(12), system.temporary_directory("daub-exact")
    local function train(out, steps, exact)
      local code, _, message = fixture.daub { "-e", ([[
        require("daub").exact(%s)
        require("daub.recipes").run("train", { %q, "--out", %q, "--resume", "--quiet", "--recipe",
          "dcgan", "--size", "96x32", "--set", "batch=4", "--set", "ngf=16", "--set", "ndf=16",
          "--steps", "%d" })
      ]]):format(exact, covers, folder .. "/" .. out, steps) }
      assert.equal(0, code, message)
      return system.sha256_file(("%s/%s/checkpoints/step-%06d.safetensors"):format(folder, out,
        steps))
    end
    local whole = train("whole", 4, true)
    train("parts", 1, true)
    assert.equal(whole, train("parts", 4, true))
    assert.are_not.equal(whole, train("filtered", 4, false))
    fixture.remove(folder)
    fixture.remove(covers)
  end)
end)

describe("tests/bench/convergence.lua", function()
  it("trains every way and compares them", function()
    local covers, folder = fixture.pictures(12), system.temporary_directory("daub-converge")
    local words = { "tests/bench/convergence.lua", covers, "--out", folder, "--steps", "3",
      "--last", "2", "--seeds", "2", "--size", "32x16", "--set", "batch=4", "--set", "ngf=8",
      "--set", "ndf=8", "--pictures", "6", "--quiet", "--json" }
    local code, text, message = fixture.daub(words)
    assert.equal(0, code, message)
    local seen, runs = {}, {}
    for line in text:gmatch("[^\n]+") do
      local entry = assert(json.decode(line))
      seen[entry.event] = (seen[entry.event] or 0) + 1
      if entry.event == "run" then runs[entry.way .. entry.seed] = entry end
    end
    local ways = system.info().bf16 and 4 or 3
    assert.same({ 2 * ways, 1, 5 * ways, 5 * (ways - 1) },
      { seen.run, seen.floor, seen.mean, seen.difference })
    assert.is_true(runs.direct1.swd > 0 and runs.direct1.critic > 0)
    assert.are_not.equal(runs.direct1.checkpoint, runs["all-winograd1"].checkpoint)
    assert.are_not.equal(runs.direct1.checkpoint, runs.direct2.checkpoint)
    assert.near(runs.direct1.critic, runs["all-winograd1"].critic, 1e-3)

    words[#words] = nil -- the same again as a table: everything is there already
    code, text = fixture.daub(words)
    assert.equal(0, code)
    assert.truthy(text:find("| winograd, SWD x 1000 | +", 1, true), text)
    fixture.remove(folder)
    fixture.remove(covers)
  end)

  it("wants steps before those whose losses are averaged", function()
    local code, _, message = fixture.daub { "tests/bench/convergence.lua", ".", "--steps", "5",
      "--last", "5" }
    assert.equal(2, code)
    assert.equal("daub: convergence: --last: fewer than --steps expected\n", message)
  end)
end)
