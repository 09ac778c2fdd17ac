-- Measuring: what is held out, distances with known answers, and what `daub measure` says.
local data = require "daub.learn.data"
local demo = require "daub.demo"
local diversity = require "daub.measure.diversity"
local fixture = require "support.learning"
local image = require "daub.image"
local json = require "daub.json"
local kid = require "daub.measure.kid"
local measure = require "daub.measure"
local neighbours = require "daub.measure.neighbours"
local safetensors = require "daub.safetensors"
local swd = require "daub.measure.swd"
local system = require "daub.core.system"
local tensor = require "daub.tensor"
local whitening = require "daub.measure.whitening"

local function numbered(count)
  local list = {}
  for i = 1, count do list[i] = { path = "p" .. i, sha256 = system.sha256(tostring(i)) } end
  return list
end

describe("the held-out tenth", function()
  it("is a tenth, 100 or a fifth, and nothing of very few", function()
    local expected_of = { [2000] = 200, [700] = 100, [300] = 60, [50] = 10, [49] = 0, [0] = 0 }
    for count, expected in pairs(expected_of) do
      local train, held = data.split(numbered(count))
      assert.same({ count - expected, expected }, { #train, #held })
    end
  end)

  it("does not hang on the order, nor changes much when pictures are added", function()
    local pictures, backwards, chosen = numbered(1200), {}, {}
    for i, picture in ipairs(pictures) do backwards[#pictures + 1 - i] = picture end
    local train, held = data.split(pictures)
    for _, picture in ipairs(held) do chosen[picture] = true end
    for _, picture in ipairs(train) do assert.is_nil(chosen[picture]) end
    assert.is_true(held[1] == pictures[1] or train[1] == pictures[1]) -- the order given
    for _, picture in ipairs(select(2, data.split(backwards))) do
      assert.is_true(chosen[picture])
    end
    local more = numbered(1300)
    local again, same = select(2, data.split(more)), 0
    local before = {}
    for _, picture in ipairs(held) do before[picture.sha256] = true end
    for _, picture in ipairs(again) do same = same + (before[picture.sha256] and 1 or 0) end
    assert.is_true(same >= 0.9 * #held, same .. " of " .. #held)
  end)
end)

describe("distances", function()
  local golden = assert(safetensors.load("tests/golden/measure.safetensors"))
  local train, held, painted = golden.train, golden.held, golden.painted

  local function near(expected, ...)
    for i, value in ipairs(expected:totable_flat()) do
      assert.near(value, (select(i, ...)), 1e-4 * math.max(1, math.abs(value)))
    end
  end

  it("kid is numpy's", function()
    near(golden.kid, kid.between(painted, held), kid.between(train, held, kid.within(held)))
  end)

  it("density and coverage are numpy's", function()
    local function found(set, k)
      return neighbours.density_and_coverage(held, neighbours.radii(held, k), set, k)
    end
    near(golden.prdc:select(1, 1), found(painted, 5))
    near(golden.prdc:select(1, 2), found(train, 3))
  end)

  it("copying is scipy's", function()
    local fresh = neighbours.nearest(held, train, 5)
    near(golden.copying:select(1, 1),
      neighbours.copying(neighbours.nearest(painted, train, 5), fresh))
    near(golden.copying:select(1, 2),
      neighbours.copying(neighbours.nearest(golden.copies, train, 5), fresh))
  end)

  it("nearest goes through many training pictures in parts", function()
    local many = tensor.randn({ 9000, 3 }, { generator = tensor.generator(4) })
    local few = tensor.randn({ 5, 3 }, { generator = tensor.generator(5) })
    local whole = neighbours.distances(few, many):sort(2):narrow(2, 1, 4)
    local found = neighbours.nearest(few, many, 4)
    assert.same(whole.shape, found.shape)
    assert.near(0, (whole - found):abs():max():item(), 1e-5)
  end)

  it("ranks that are equal are shared", function()
    -- U of {1, 2, 2} against {2, 3}: 0.5 + 0.5 of 6 pairs
    local z = neighbours.rank_test(tensor.from { 1, 2, 2 }, tensor.from { 2, 3 })
    assert.near((1 - 3) / math.sqrt(3 * 2 * 6 / 12), z, 1e-9)
    assert.near(0, neighbours.rank_test(tensor.ones { 4 }, tensor.ones { 7 }), 1e-9)
  end)

  it("whitened features have numpy's products", function()
    local white = whitening.new(golden.narrow)
    local x = white(golden.narrow:narrow(1, 1, 20) * 2)
    local products = x:matmul(x:t()):to("f64")
    assert.near(0, (products - golden.whitened):abs():max():item(),
      1e-5 * golden.whitened:abs():max():item())
    assert.near(1, white(golden.narrow):square():mean():item(), 1e-5)
  end)

  it("features of one kind only can be whitened", function()
    local x = whitening.new(tensor.ones { 9, 12 })(tensor.ones { 3, 12 })
    assert.near(0, x:abs():max():item(), 1e-9)
  end)

  it("swd of given patches is numpy's", function()
    local a = swd.project(golden["patches.a"], golden.directions)
    local b = swd.project(golden["patches.b"], golden.directions)
    near(golden.swd, swd.between({ projections = { a } }, { projections = { b } }).swd)
  end)

  it("structural similarity is PyTorch's, on two scales", function()
    local x, y = golden["pictures.x"]:to("f32") / 255, golden["pictures.y"]:to("f32") / 255
    near(golden.ms_ssim, unpack(diversity.ms_ssim(x, y):totable()))
    near(tensor.ones { 3 }, unpack(diversity.ms_ssim(x, x):totable()))
    local ok, message = pcall(diversity.ms_ssim, x:narrow(2, 1, 10), y:narrow(2, 1, 10))
    assert.is_false(ok)
    assert.truthy(message:find("at least 11x11", 1, true), message)
  end)
end)

describe("measuring paintings", function()
  -- Pictures first … first + count - 1 of the demo, u8 {count, 32, 96, 3}.
  local function designs(first, count)
    local list = {}
    for i = 1, count do
      list[i] = tensor.wrap(demo.paint(first + i - 1, { width = 96, height = 32 }))
    end
    return tensor.stack(list)
  end

  local train, held, ref
  setup(function()
    train, held = designs(1, 150), designs(151, 45)
    ref = measure.reference(train, held)
  end)

  -- {metric = value}, and the score.
  local function measured(x)
    local found, list = {}, measure.paintings(ref, x)
    for _, entry in ipairs(list) do found[entry.metric] = entry.value end
    return found, measure.score(list)
  end

  it("names every metric with its floor", function()
    local names = {}
    for i, entry in ipairs(measure.paintings(ref, held)) do
      names[i] = entry.metric
      assert.is_true(entry.floor > 0 or entry.metric:find("^copying") ~= nil, entry.metric)
    end
    assert.same({ "swd", "swd.32", "swd.16", "kid", "kid.fine", "density", "coverage",
      "coverage.fine", "coverage.thumbnails", "copying", "copying.distance", "diversity" }, names)
  end)

  it("finds the held-out covers themselves", function()
    local found, score = measured(held)
    assert.is_true(found.coverage == 1 and found["coverage.thumbnails"] == 1)
    assert.is_true(found.kid < 0 and score < 1)
    assert.near(0, found.copying, 0.5)
  end)

  it("finds pictures like the covers to be at the floor", function()
    local found, score = measured(designs(301, 45))
    assert.is_true(score < 1.5, "score " .. score)
    assert.is_true(math.abs(found.copying) < 3)
  end)

  it("finds noise far from the covers", function()
    local found, score = measured(tensor.rand({ 45, 32, 96, 3 },
      { generator = tensor.generator(1) }) * 2 - 1)
    assert.is_true(found.coverage < 0.1 and score > 5)
    assert.is_true(found.copying > 3)
  end)

  it("finds a faint grid that leaves colours and layout as they are", function()
    local others = image.to_float(designs(301, 45))
    local grid = tensor.arange(96, { dtype = "f32" }):remainder(2):reshape { 1, 1, 96, 1 } * 0.08
    local found, plain = measured(others + grid - 0.04), measured(others)
    assert.is_true(found["kid.fine"] > 3 * plain["kid.fine"])
    assert.is_true(found["coverage.fine"] < 0.8 * plain["coverage.fine"])
    assert.is_true(found.coverage > 0.9 * plain.coverage)
  end)

  it("finds copies of training covers", function()
    local copies = train:narrow(1, 31, 45)
    assert.is_true(measured(copies).copying < -3)
    local shaken = image.to_float(copies) + tensor.randn({ 45, 32, 96, 3 },
      { generator = tensor.generator(2) }) * 0.02
    assert.is_true(measured(shaken).copying < -3)
  end)

  it("finds that all paintings are one", function()
    local one = image.to_float(held:narrow(1, 7, 1)):expand { 45, 32, 96, 3 }
    local found, score = measured(one:contiguous())
    assert.is_true(found.coverage < 0.25 and score > 2)
    assert.near(0, found.diversity, 1e-3)
  end)

  it("gives means over several times as many paintings as covers", function()
    local a, b = train:narrow(1, 31, 45):contiguous(), train:narrow(1, 76, 45):contiguous()
    local one, other = measure.paintings(ref, a), measure.paintings(ref, b)
    local spare = train:narrow(1, 1, 20):contiguous()
    for i, entry in ipairs(measure.paintings(ref, tensor.cat({ a, b, spare }, 1))) do
      assert.near((one[i].value + other[i].value) / 2, entry.value, 1e-9, entry.metric)
    end
    assert.are_not.equal(one[1].value, other[1].value)
  end)

  it("takes f32 and u8, depends on nothing else, and counts", function()
    assert.same(measure.paintings(ref, held), measure.paintings(ref, image.to_float(held)))
    assert.same(ref.floors, measure.reference(image.to_float(train), held).floors)
    local ok, message = pcall(measure.paintings, ref, held:narrow(1, 1, 44))
    assert.is_false(ok)
    assert.truthy(message:find("expected at least 45 pictures, got 44", 1, true), message)
    ok, message = pcall(measure.reference, train, held:narrow(1, 1, 7))
    assert.is_false(ok)
    assert.truthy(message:find("8 held-out pictures, got 150 and 7", 1, true), message)
  end)
end)

describe("daub measure", function()
  local covers, runs
  setup(function()
    covers, runs = fixture.pictures(70), system.temporary_directory("daub-measure")
    for seed = 1, 2 do
      local code, message = fixture.train(covers, runs .. "/r" .. seed,
        fixture.small.dcgan .. " --steps 2 --seed " .. seed)
      assert.equal(0, code, message)
    end
  end)
  teardown(function()
    fixture.remove(covers)
    fixture.remove(runs)
  end)

  local function measured(...)
    local code, out, err = fixture.daub { "measure", ... }
    assert.equal(0, code, err)
    return out, err
  end

  -- Every line of --json, by run and metric.
  local function lines(...)
    local found = {}
    for line in measured(...):gmatch("[^\n]+") do
      local entry = assert(json.decode(line))
      local name = entry.run or "the run"
      found[name] = found[name] or {}
      found[name][entry.metric] = entry
    end
    return found
  end

  it("tells people every metric beside its floor", function()
    local out, err = measured(runs .. "/r1", covers, "--quiet")
    assert.equal("", err)
    assert.truthy(out:find("r1 2: 56 paintings; 14 at a time, beside as many held-out covers, "
      .. "32x16\n", 1, true), out)
    for _, name in ipairs { "swd", "swd%.16", "kid", "coverage", "copying", "score" } do
      assert.truthy(out:find("\n" .. name .. " +[%d.-]+ +[%d.]+ "), name .. ": " .. out)
    end
    assert.truthy(out:find("far from real covers", 1, true))
  end)

  it("compares two runs, the same each time", function()
    local a, b = runs .. "/r1", runs .. "/r2"
    local found = lines(a, covers, "--against", b, "--json", "--quiet")
    assert.same({ metric = "swd", value = found[a].swd.value, floor = found[b].swd.floor, run = a },
      found[a].swd)
    assert.are_not.equal(found[a].swd.value, found[b].swd.value)
    local alone = lines(b, covers, "--json", "--quiet", "--step", "2")["the run"]
    for name, entry in pairs(found[b]) do
      entry.run = nil
      assert.same(entry, alone[name])
    end
    local out = measured(a, covers, "--against", b)
    assert.truthy(out:find("\nswd +%S+ +%S+ +%S+ +[re]"), out)
    assert.truthy(measured(a, covers, "--against", a):find("\nswd +%S+ +%S+ +%S+ +even\n"))
    local noise = runs .. "/noise"
    assert.is_true(system.make_directory(noise))
    for i = 1, 14 do
      local x = tensor.rand({ 16, 32, 3 }, { generator = tensor.generator(i) }) * 2 - 1
      assert.is_true(image.save(("%s/%d.png"):format(noise, i), x))
    end
    out = measured(noise, covers, "--against", covers, "--size", "32x16")
    for _, name in ipairs { "kid", "kid%.fine", "coverage", "score" } do
      assert.truthy(out:find("\n" .. name .. " +%S+ +%S+ +%S+ +daub%-pictures"), name .. out)
    end
  end)

  it("takes a folder of pictures, and finds the collection's own to be copies", function()
    local found = lines(covers, covers, "--size", "96x32", "--json", "--quiet")["the run"]
    assert.is_true(found.copying.value < -3)
    assert.is_true(found.score.value < 1.5)
  end)

  it("says when a run has learnt from held-out covers", function()
    local few = runs .. "/few" -- nothing but what was learnt from, parted again
    assert.is_true(system.make_directory(few))
    for _, picture in ipairs((data.split(assert(data.folder(covers))))) do
      local bytes = system.read_file(picture.path, 2 ^ 20)
      assert.is_true(system.write_file(few .. "/" .. picture.path:match("[^/]+$"), bytes))
    end
    local _, err = measured(runs .. "/r1", few)
    assert.truthy(err:find("r1 2: has learnt from 11 of the 11 held-out covers", 1, true), err)
    _, err = measured(runs .. "/r1", covers)
    assert.is_nil(err:find("has learnt", 1, true))
  end)

  it("refuses what cannot be measured, in one line", function()
    local empty = runs .. "/empty"
    assert.is_true(system.make_directory(empty))
    local cases = {
      { { runs .. "/none", covers }, "none: No such file or directory" },
      { { empty, covers }, "empty: neither a run nor a folder of enough pictures" },
      { { runs .. "/r1", empty }, "empty: 0 pictures, of which 0 are held out" },
      { { runs .. "/r1", covers, "--step", "7" }, "has no checkpoint of step 7" },
      { { runs .. "/r1", covers, "--size", "96x32" }, "paints 32x16, not 96x32" },
    }
    for _, case in ipairs(cases) do
      local code, out, err = fixture.daub { "measure", "--quiet", unpack(case[1]) }
      assert.same({ 1, "" }, { code, out })
      assert.truthy(err:find(case[2], 1, true), err)
      assert.equal(1, select(2, err:gsub("\n", "")))
    end
  end)
end)
