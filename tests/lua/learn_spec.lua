-- Learning: datasets from pictures, augmentation, settings, runs that resume bit for bit.
local augment = require "daub.learn.augment"
local autograd = require "daub.autograd"
local checkpoint = require "daub.checkpoint"
local data = require "daub.learn.data"
local json = require "daub.json"
local run = require "daub.learn.run"
local settings = require "daub.learn.settings"
local system = require "daub.core.system"
local tensor = require "daub.tensor"
local daub = require "support.daub"
local fixture = require "support.learning"

describe("a dataset", function()
  local folder
  setup(function() folder = fixture.pictures(6) end)
  teardown(function() fixture.remove(folder) end)

  it("holds every picture of a folder once, in the network's shape", function()
    system.write_file(folder .. "/again.jpg", system.read_file(folder .. "/demo-0001.jpg"))
    system.write_file(folder .. "/notes.txt", "no picture")
    local pictures = data.folder(folder)
    assert.are.equal(6, #pictures)
    local set, refused = data.open(pictures,
      { width = 32, height = 16, cache = folder .. "/cache" })
    assert.are.same({ count = 6, width = 32, height = 16 }, set:info())
    assert.are.same({}, refused)
    for i, picture in ipairs(pictures) do assert.are.equal(picture.sha256, set:id(i)) end
    assert.are.equal(0, set:distances(set:picture(4)):totable()[4])
    set:close()
  end)

  it("is not made twice, and leaves out what cannot be decoded", function()
    system.write_file(folder .. "/broken.png", "\137PNG\r\n\26\nbut no more")
    local pictures, o = data.folder(folder), { width = 24, height = 8, cache = folder .. "/cache" }
    local set, refused = data.open(pictures, o)
    assert.are.equal(6, set:info().count)
    assert.are.equal(1, #refused)
    assert.truthy(refused[1].path:match("broken"))
    o.progress = function() error("decoded again") end
    assert.are.equal(6, data.open(pictures, o):info().count)
  end)

  it("sweeps what killed ones left, but not what one at work writes", function()
    local cache = folder .. "/cache"
    system.write_file(cache .. "/8x8-aa.pack.part-1", "old")
    assert.are.equal(0, os.execute("touch -d '2 hours ago' " .. cache .. "/8x8-aa.pack.part-1"))
    system.write_file(cache .. "/8x8-aa.pack.part-2", "new")
    data.open(data.folder(folder), { width = 8, height = 8, cache = cache }):close()
    assert.is_nil((system.stat(cache .. "/8x8-aa.pack.part-1")))
    assert.is_table(system.stat(cache .. "/8x8-aa.pack.part-2"))
  end)

  it("gives batches that depend on the seed and their number alone", function()
    local o = { width = 24, height = 8, cache = folder .. "/cache" }
    local set = data.open(data.folder(folder), o)
    local function shown(options) -- a hash of batches 2 to 7
      options.batch, options.start = 4, 2
      local loader, batches = set:loader(options), {}
      for i = 1, 6 do batches[i] = loader:next():tostring() end
      return system.sha256(table.concat(batches))
    end
    local from_start, late = set:loader { batch = 4, seed = 3 }, {}
    for n = 0, 7 do
      local batch = from_start:next()
      assert.are.same({ 4, 8, 24, 3 }, batch:shape())
      assert.is_true(tensor.wrap(batch):abs():max():item() <= 1)
      if n >= 2 then late[#late + 1] = batch:tostring() end
    end
    assert.are.equal(8, from_start:position())
    local plain = shown { seed = 3 }
    assert.are.equal(plain, system.sha256(table.concat(late)))
    assert.are_not.equal(plain, shown { seed = 4 })
    assert.are_not.equal(plain, shown { seed = 3, zoom = 0.5 })
    assert.are_not.equal(plain, shown { seed = 3, mirror = true })
    for _, wrong in ipairs { { batch = 0 }, { seed = -1 }, { start = 0.5 }, { zoom = 2 },
      { batch = "x" } } do
      assert.has_error(function() set:loader(wrong) end)
    end
  end)

  it("holds real covers", function()
    local covers = os.getenv("DAUB_TEST_COVERS")
    if not covers then return pending("DAUB_TEST_COVERS names no folder of covers") end
    local pictures = {}
    for i, name in ipairs(assert(system.list_directory(covers))) do
      local path = covers .. "/" .. name
      if i <= 100 and name:match("%.jpg$") then
        pictures[#pictures + 1] = { path = path, sha256 = system.sha256_file(path) }
      end
    end
    local o = { width = 96, height = 32, cache = folder .. "/cache" }
    local set, refused = data.open(pictures, o)
    assert.are.same({}, refused)
    assert.are.equal(#pictures, set:info().count)
  end)

  it("says why there is none", function()
    local set, message = data.open({}, { width = 24, height = 8, cache = folder .. "/cache" })
    assert.is_nil(set)
    assert.truthy(message:match("no pictures"))
    assert.is_nil(data.folder(folder .. "/missing"))
  end)
end)

describe("augmentation", function()
  local x = tensor.rand({ 5, 16, 24, 3 }, { generator = tensor.generator(3) }) * 2 - 1

  it("changes pictures by whole pixels, the same ones for the same step and stream", function()
    local change = augment.new({ translation = true, cutout = true, colour = true }, 7)
    local a = change(x, 11, 2)
    assert.are.same(x.shape, a.shape)
    assert.are.equal(a:tobytes(), change(x, 11, 2):tobytes())
    assert.are_not.equal(a:tobytes(), change(x, 12, 2):tobytes())
    assert.are_not.equal(a:tobytes(), change(x, 11, 3):tobytes())
  end)

  it("shifts by cells of 4 pixels, at most an eighth of a side, and fills with 0", function()
    local numbered = tensor.arange(32 * 96, { dtype = "f32" }) + 1
    local moved = augment.new({ translation = true }, 1)(numbered:reshape { 1, 32, 96, 1 }
      :tile { 200, 1, 1, 1 }, 1, 1)
    local seen = {}
    for i = 1, 200 do
      local inner = moved:select(1, i):select(1, 17):select(1, 49):item() -- of row 16, column 48
      local down, right = 16 - math.floor((inner - 1) / 96), 48 - (inner - 1) % 96
      assert.same({ 0, 0 }, { down % 4, right % 4 })
      assert.is_true(math.abs(down) <= 4 and math.abs(right) <= 12)
      local shown = (moved:select(1, i):gt(0)):sum():item()
      assert.equal((32 - math.abs(down)) * (96 - math.abs(right)), shown)
      seen[down .. "," .. right] = true
    end
    for _, down in ipairs { -4, 0, 4 } do
      for right = -12, 12, 4 do assert.is_true(seen[down .. "," .. right]) end
    end
  end)

  it("leaves half of the pictures as they are", function()
    local same = tensor.rand({ 400, 8, 8, 3 }, { generator = tensor.generator(1) })
    local change = augment.new({ translation = true, cutout = true, colour = true }, 4)
    local changed = change(same, 1, 1)
    local left = 0
    for i = 1, 400 do
      if (changed:select(1, i) - same:select(1, i)):abs():max():item() < 1e-6 then
        left = left + 1
      end
    end
    assert.is_true(left > 150 and left < 250)
  end)

  it("has gradients of the right size", function()
    for _, kinds in ipairs { { translation = true }, { cutout = true }, { colour = true } } do
      local change = augment.new(kinds, 5)
      local y = tensor.rand({ 6, 4, 32, 3 }, { dtype = "f64", requires_grad = true })
      assert.is_true((change(y, 3, 1) - y):abs():max():item() > 0)
      assert(autograd.check(function(v) return change(v, 3, 1) end, y))
    end
  end)

  it("is named by words", function()
    assert.are.same({ translation = true, colour = true }, augment.parse("translation, colour"))
    assert.are.same({}, augment.parse("none"))
    local kinds, message = augment.parse("twirl")
    assert.is_nil(kinds)
    assert.truthy(message:match("translation, cutout, colour"))
  end)
end)

describe("settings", function()
  local network = require "daub.learn.networks.dcgan"

  local function read(key, value)
    return settings.read({ { key = key, value = value } }, network)
  end

  it("have defaults and take what is given", function()
    local s = read("lr", "1e-3")
    assert.are.equal(1e-3, s.lr)
    assert.are.equal(32, s.batch)
    assert.are.equal(64, s.ngf)
  end)

  it("are all in the help of daub train", function()
    local text = require("daub.learn.plan").notes()
    for _, word in ipairs { "augment=translation", "batch=32", "latent=100 or 128",
      "flavour=swift", "ngf=64", "widths=100" } do
      assert.truthy(text:find("\n  " .. word .. " +%S"), word)
    end
    for line in text:gmatch("[^\n]+") do assert.is_true(#line <= 100, line) end
  end)

  it("name what was expected", function()
    local _, message = read("btach", "3")
    assert.truthy(message:match("did you mean.-batch"))
    for key, value in pairs { batch = "1.5", lr = "fast", loss = "sad", augment = "twirl" } do
      local s
      s, message = read(key, value)
      assert.is_nil(s)
      assert.truthy(message:match("expected"), message)
    end
  end)
end)

describe("a run of another version", function()
  local plan = require "daub.learn.plan"

  it("is refused by the name of what it lacks", function()
    local options = { recipe = "lite", size = { width = 96, height = 32 },
      settings = { latent = 128, channels = 40 } }
    assert.has_error(function() plan.shape(options) end,
      "the run has no setting 'widths', which lite needs: another version of daub made it")
    options.recipe = "heavy"
    assert.has_error(function() plan.shape(options) end)
  end)
end)

describe("a checkpoint", function()
  local folder
  setup(function() folder = system.temporary_directory("daub-checkpoint") end)
  teardown(function() fixture.remove(folder) end)

  it("gives nested tables back, and equal tables make equal bytes", function()
    local state = { step = 3, on = true, name = "ü", list = { 1, 2.5, 1e-300 },
      weights = { ["1.weight"] = tensor.randn { 3, 4 },
        deep = { n = tensor.zeros({}, { dtype = "i64" }) } },
      empty = {} }
    assert(checkpoint.save(folder .. "/a", state))
    local back = assert(checkpoint.load(folder .. "/a"))
    assert.are.equal(state.weights["1.weight"]:tobytes(), back.weights["1.weight"]:tobytes())
    assert.are.same(state.list, back.list)
    assert.are.same({}, back.empty)
    assert.is_true(back.on)
    assert(checkpoint.save(folder .. "/b", back))
    assert.are.equal(system.sha256_file(folder .. "/a"), system.sha256_file(folder .. "/b"))
  end)

  it("refuses what is none", function()
    system.write_file(folder .. "/c", "not a checkpoint")
    local state, message = checkpoint.load(folder .. "/c")
    assert.is_nil(state)
    assert.is_string(message)
  end)
end)

describe("a run's folder", function()
  local folder
  before_each(function() folder = system.temporary_directory("daub-run") end)
  after_each(function() fixture.remove(folder) end)

  it("keeps its options, its last checkpoints, and one writer", function()
    local r = assert(run.create(folder .. "/run", { seed = 4 }))
    local other, message = run.resume(folder .. "/run")
    assert.is_nil(other)
    assert.truthy(message:match("another train"))
    for step = 1, 5 do assert(r:save(step, { step = step })) end
    assert.are.equal(5, (r:latest()))
    assert.are.equal(5, r:load().step)
    assert.are.equal(4, #system.list_directory(folder .. "/run/checkpoints"))
    r:close()
    assert.are.equal(4, assert(run.resume(folder .. "/run")).options.seed)
    assert.is_nil(run.create(folder .. "/run", {}))
  end)

  it("keeps the best beside the last, and paints with the best", function()
    local r = assert(run.create(folder .. "/run", {}))
    assert.truthy(select(2, r:checkpoint()):match("has no checkpoint yet"))
    local best = {}
    for step = 0, 8 do
      if step == 2 or step == 3 then table.insert(best, 1, { step = step, score = 2 / step }) end
      assert(r:save(step, { step = step }, best, { 1 }))
      if step == 0 then assert.truthy(select(2, r:checkpoint()):match("no checkpoint yet")) end
      if step == 1 then assert.are.equal(1, (r:checkpoint())) end
    end
    assert.are.equal("step-000003.safetensors 0.666667\nstep-000002.safetensors 1\n",
      system.read_file(folder .. "/run/checkpoints/best"))
    assert.are.equal(8, #system.list_directory(folder .. "/run/checkpoints")) -- 6, best, latest
    assert.are.equal(3, (r:best()))
    assert.are.same({ 3, r:file(3) }, { r:checkpoint() })
    assert.are.equal(8, (r:checkpoint "latest"))
    assert.are.same({ 1, r:file(1) }, { r:checkpoint "1" })
    assert.are.equal(2, r:load(r:file(2)).step)
    assert.truthy(select(2, r:checkpoint(4)):match("no checkpoint of step 4"))
    assert.truthy(select(2, r:checkpoint "worst"):match("best, latest or a step's number"))
    system.remove(r:file(3)) -- the next best then
    assert.are.equal(2, (r:best()))
  end)

  it("forgets what lies after the step it goes back to", function()
    local r = assert(run.create(folder .. "/run", {}))
    for step = 1, 4 do assert(r:save(step, { step = step })) end
    system.write_file(r:sample_path(4), "png")
    assert(r:save(2, { step = 2 }))
    assert.are.equal(2, (r:latest()))
    assert.are.same({ "latest", "step-000002.safetensors" },
      system.list_directory(folder .. "/run/checkpoints"))
    assert.is_nil((system.stat(r:sample_path(4))))
  end)

  it("is swept of what a killed train had half written", function()
    local r = assert(run.create(folder .. "/run", {}))
    assert(r:save(1, { step = 1 }))
    r:close()
    local left = folder .. "/run/checkpoints/step-000002.safetensors.tmp-aB3xYz"
    system.write_file(left, "half")
    assert(run.resume(folder .. "/run")):close()
    assert.is_nil((system.stat(left)))
    assert.are.same({ "latest", "step-000001.safetensors" },
      system.list_directory(folder .. "/run/checkpoints"))
  end)

  it("goes on with its log after a torn line", function()
    local r = assert(run.create(folder .. "/run", {}))
    r:log { step = 1 }
    r:close()
    local file = io.open(folder .. "/run/log.jsonl", "ab")
    file:write('{"step":2,"cri')
    file:close()
    r = assert(run.resume(folder .. "/run"))
    r:log { step = 3 }
    local steps = {}
    for _, entry in ipairs(r:entries()) do steps[#steps + 1] = entry.step end
    r:close()
    assert.are.same({ 1, 3 }, steps)
  end)
end)

describe("learning rates", function()
  local trainer = require "daub.learn.trainer"

  it("fall by half a cosine at the end", function()
    assert.are.equal(1, trainer.fallen(0, 1))
    assert.near(0.5, trainer.fallen(0.5, 1), 1e-12)
    assert.near(0, trainer.fallen(1, 1), 1e-12)
    assert.are.equal(1, trainer.fallen(0.75, 0.25))
    assert.near(0.5, trainer.fallen(0.875, 0.25), 1e-12)
    assert.are.equal(1, trainer.fallen(0.99, 0))
  end)
end)

describe("daub train", function()
  local folder, pictures
  setup(function()
    pictures = fixture.pictures(12)
    folder = system.temporary_directory("daub-train")
  end)
  teardown(function()
    fixture.remove(folder)
    fixture.remove(pictures)
  end)

  local function train(out, words) return fixture.train(pictures, folder .. "/" .. out, words) end
  local function last(out)
    return system.sha256_file(folder .. "/" .. out .. "/checkpoints/step-000006.safetensors")
  end

  it("lets both learning rates fall, the same ones after a stop", function()
    local words = fixture.small.dcgan .. " --set decay=0.5 --set lr=1e-3 --set lr_critic=4e-4"
    assert.are.equal(0, train("fall", words .. " --steps 6"))
    local state = assert(run.read(folder .. "/fall"):load())
    local left = (1 - math.cos(math.pi * (1 / 6) / 0.5)) / 2
    assert.near(1e-3 * left, state.adam_g.options.lr, 1e-9)
    assert.near(4e-4 * left, state.adam_d.options.lr, 1e-9)
    local process = fixture.start(pictures, folder .. "/fall-stopped",
      words .. " --steps 6 --save-every 0 --json")
    local text = ""
    repeat text = text .. assert(process:read(60)) until text:find('"saved"', 1, true)
    process:kill("int")
    process:wait(60)
    process:close()
    assert.are.equal(0, train("fall-stopped", "--resume --steps 6"))
    assert.are.equal(last "fall", last "fall-stopped")
  end)

  local kinds = { dcgan = fixture.small.dcgan, lite = fixture.small.lite }
  if system.info().bf16 then kinds.bf16 = fixture.small.dcgan .. " --set precision=bf16" end
  for name, options in pairs(kinds) do
    it("ends in the same bytes whether " .. name .. " was stopped or not", function()
      local words = options .. " --set augment=translation,cutout,colour --set zoom=0.8"
      assert.are.equal(0, train(name .. "-whole", words .. " --steps 6"))
      assert.are.equal(0, train(name .. "-parts", words .. " --steps 2 --threads 1"))
      assert.are.equal(0, train(name .. "-parts", "--resume --steps 3"))
      assert.are.equal(0, train(name .. "-parts", "--resume --steps 6"))
      assert.are.equal(last(name .. "-whole"), last(name .. "-parts"))
    end)
  end

  it("computes with the precision it is told", function()
    if not kinds.bf16 then return pending("this processor has no bf16 products") end
    assert.are_not.equal(last "dcgan-whole", last "bf16-whole")
  end)

  it("refuses bf16 where there is none, before it makes anything", function()
    local r = daub.run({ "train", pictures, "--out", folder .. "/none", "--set", "precision=bf16" },
      { env = { DAUB_ISA = "scalar" } })
    assert.are.equal(2, r.code)
    assert.are.equal("daub: train: --set precision=bf16: "
      .. "this processor has no bf16 products (f32 expected)\n", r.err)
    assert.is_nil(system.stat(folder .. "/none"))
  end)

  it("depends on its seed", function()
    assert.are.equal(0, train("one", fixture.small.dcgan .. " --steps 6"))
    assert.are.equal(0, train("two", fixture.small.dcgan .. " --steps 6 --seed 2"))
    assert.are_not.equal(last("one"), last("two"))
  end)

  it("writes what the design promises", function()
    local entries = {}
    for line in io.lines(folder .. "/one/log.jsonl") do
      entries[#entries + 1] = json.decode(line)
    end
    assert.are.equal(6, entries[#entries].step)
    local step
    for _, entry in ipairs(entries) do step = step or entry.critic and entry end
    assert.is_true(step.generator > 0 and step.lr == 2e-4 and step.seconds_per_step > 0)
    local described = json.decode(system.read_file(folder .. "/one/run.json"))
    assert.are.equal(8, described.options.settings.ngf)
    assert.is_string(described.program.isa)
    assert.is_table(system.stat(folder .. "/one/samples/step-000006.png"))
  end)

  it("has nothing to do when it is done", function()
    local before = last("one")
    local code, out = fixture.daub { "train", pictures, "--out", folder .. "/one", "--resume",
      "--steps", "6", "--quiet" }
    assert.are.equal(0, code)
    assert.are.equal(folder .. "/one/samples/step-000006.png\n", out)
    assert.are.equal(before, last("one"))
  end)

  it("refuses what does not go together, each with one line", function()
    local function refused(out, words, pattern, expected)
      local code, text = train(out, words)
      assert.are.equal(expected or 1, code)
      assert.truthy(text:match("^daub: [^\n]*" .. pattern .. "[^\n]*\n$"), text)
    end
    refused("one", fixture.small.dcgan .. " --steps 6", "already holds a run")
    refused("one", "--resume --steps 8 --seed 3", "the run has 1")
    refused("one", "--resume --steps 8 --set lr=0.1", "the run has 0.0002")
    refused("odd", "--size 100x30 --steps 1", "can be halved", 2)
    refused("odd", "--set lr=high --steps 1", "expected", 2)
  end)

  it("ends when a loss stays no number, whatever the rate, and keeps what was saved", function()
    assert.are.equal(0, train("wild", fixture.small.dcgan .. " --steps 1"))
    local path = folder .. "/wild/checkpoints/step-000001.safetensors"
    fixture.poison(path)
    local code, text = train("wild", "--resume --steps 3 --save-every 0")
    assert.are.equal(1, code)
    assert.truthy(text:match("^daub: train: step 2: the critic's loss is not a number, and going "
      .. "back to step 1 [^\n]*did not help 5 times[^\n]*\n$"), text)
    assert.are.equal(1, (run.read(folder .. "/wild"):latest()))
    assert.are.equal(5, assert(run.read(folder .. "/wild"):load()).session.setbacks)
  end)

  it("stops at Ctrl-C with 130 and its work saved", function()
    local process = fixture.start(pictures, folder .. "/stopped",
      fixture.small.dcgan .. " --minutes 5 --save-every 0 --json")
    local text = ""
    repeat text = text .. assert(process:read(60)) until text:find('"saved"', 1, true)
    process:kill("int")
    assert.are.equal(130, process:wait(60))
    assert.truthy(process:read_error(1):match("^daub: interrupted: step %d+ is saved"))
    local r = run.read(folder .. "/stopped")
    assert.is_true(r:latest() >= 1)
  end)
end)
