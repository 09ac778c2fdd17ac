-- Teaching to enlarge: crops, spoilt pictures, judging against Lanczos, the recipe.
local Crops = require "daub.upscale.crops"
local Model = require "daub.upscale.model"
local apply = require "daub.upscale.apply"
local degrade = require "daub.upscale.degrade"
local demo = require "daub.demo"
local enlarging = require "support.enlarging"
local fixture = require "support.learning"
local image = require "daub.image"
local json = require "daub.json"
local judge = require "daub.upscale.judge"
local lanczos = require "daub.upscale.lanczos"
local optim = require "daub.optim"
local random = require "daub.tensor.random"
local system = require "daub.core.system"
local tensor = require "daub.tensor"

local SMALL, restless = enlarging.small, enlarging.restless
local picture, largest = enlarging.picture, enlarging.largest

describe("judging", function()
  it("never lets networks make a picture worse than Lanczos does", function()
    local list = {}
    for i = 1, 4 do
      list[i] = image.to_float(tensor.wrap(demo.paint(i, { width = 96,
        height = 32 })))
    end
    local covers = tensor.stack(list)
    local model = restless(1, 1)
    local found = judge.measure(model, covers, { seed = 1 })
    assert.are.equal(4, #found)
    local low = degrade.shrink(covers, 4)
    for i = 1, 4 do
      local small = low:select(1, i)
      local learned = apply.step(model.nets[4], small, model.weights.first[4])
      local plain = apply.step(model.nets[4], small, 0)
      local function off(y) return (y - covers:select(1, i)):square():mean():item() end
      assert.is_true(off(learned) <= off(plain) * 1.0001)
    end
    for _, e in ipairs(found) do
      for _, kind in ipairs { "clean", "spoilt" } do
        assert.is_true(e[kind].learned.psnr >= e[kind].lanczos.psnr)
        assert.is_true(e[kind].learned.swd <= e[kind].lanczos.swd)
      end
    end
  end)

  it("uses a network that learnt", function()
    -- bars of two pixels: Lanczos blurs them, a network can know that they are sharp
    local covers = tensor.zeros { 3, 32, 96, 3 }
    for i = 1, 3 do
      for x = 1, 96, 4 do covers:select(1, i):narrow(2, x, 2):fill_(i / 4) end
    end
    local model = Model.new(SMALL)
    local net = model.nets[2]
    local adam = optim.Adam(net:parameters(), { lr = 1e-2 })
    local low = degrade.shrink(covers, 2)
    local rest = covers - lanczos(low, 2)
    for _ = 1, 60 do
      (net(low) - rest):abs():mean():backward()
      adam:step()
      adam:zero_grad()
    end
    local found = judge.measure(model, covers, { seed = 1 })
    assert.is_true(found[2].weight > 0.5)
    assert.are.equal(found[2].weight, model.weights.first[2])
    assert.is_true(found[2].clean.learned.psnr > found[2].clean.lanczos.psnr + 1)
    assert.are.equal(0, model.weights.first[4])
  end)
end)

describe("crops", function()
  local folder, pictures
  setup(function()
    folder = fixture.pictures(6)
    pictures = {}
    for i, name in ipairs(system.list_directory(folder)) do
      pictures[i] = { path = folder .. "/" .. name }
    end
  end)
  teardown(function() fixture.remove(folder) end)

  it("depend on the seed and the place alone", function()
    local function open(position)
      return Crops.open(pictures, { seed = 3, batch = 4, side = 24, position = position })
    end
    local a = open()
    local first, second = a:next(), a:next()
    assert.are.same({ 4, 24, 24, 3 }, first.shape)
    assert.are_not.equal(first:tobytes(), second:tobytes())
    local position = a.position
    local third = a:next()
    a:close()
    local b = open(position)
    assert.are.equal(third:tobytes(), b:next():tobytes())
    b:close()
    assert.is_true(first:min():item() >= -1 and first:max():item() <= 1)
  end)

  it("are more of a large picture", function()
    local large = folder .. "/large.png"
    assert(image.save(large, tensor.zeros({ 300, 800, 3 }, { dtype = "u8" })))
    local crops = Crops.open({ { path = large } }, { seed = 1, batch = 16, side = 24 })
    assert.are.same({ 16, 24, 24, 3 }, crops:next().shape)
    assert.are.equal(4, crops.position)
    crops:close()
    system.remove(large)
  end)

  it("pass over what is too small or no picture", function()
    local mixed = { { path = folder .. "/none.jpg" }, pictures[1] }
    local crops = Crops.open(mixed, { seed = 1, batch = 3, side = 32 })
    assert.are.same({ 3, 32, 32, 3 }, crops:next().shape)
    crops:close()
    crops = Crops.open(pictures, { seed = 1, batch = 3, side = 33 })
    local ok, message = pcall(crops.next, crops)
    crops:close()
    assert.is_false(ok)
    assert.truthy(message:find("none of 6 pictures can be learnt from", 1, true))
  end)
end)

describe("spoiling", function()
  local low = picture(24, 24):unsqueeze(1):expand(32, 24, 24, 3):contiguous()
  it("changes some pictures and leaves some, by the generator alone", function()
    local a = assert(degrade.spoil(low, random.at(1, 0)))
    assert.are.equal(a:tobytes(), assert(degrade.spoil(low, random.at(1, 0))):tobytes())
    assert.are_not.equal(a:tobytes(), assert(degrade.spoil(low, random.at(2, 0))):tobytes())
    local same = 0
    for i = 1, 32 do
      if largest(a:select(1, i) - low:select(1, i)) == 0 then same = same + 1 end
    end
    assert.is_true(same >= 4 and same <= 24, same)
  end)

  it("keeps a blurred plain colour as it is", function()
    local plain = tensor.full({ 16, 24, 24, 3 }, 0.5)
    local off = assert(degrade.spoil(plain, random.at(1, 0))) - plain
    assert.is_true(largest(off) < 0.5 and math.abs(off:mean():item()) < 0.01)
  end)
end)

describe("daub upscaler", function()
  local folder, pictures
  setup(function()
    folder = system.temporary_directory("daub-upscaler")
    pictures = folder .. "/pictures"
    assert(demo.write(pictures, { count = 52, width = 300, height = 100 }))
  end)
  teardown(function() fixture.remove(folder) end)

  local function words(out, steps)
    return { "upscaler", pictures, "--out", folder .. "/" .. out, "--steps", steps, "--features",
      "8", "--layers", "1", "--batch", "4", "--json", "--quiet" }
  end
  local function events(text)
    local list = {}
    for line in text:gmatch("([^\n]+)\n") do list[#list + 1] = assert(json.decode(line)) end
    return list
  end

  it("writes a file with its measurements into a run's folder", function()
    local code, out, err = fixture.daub(words("run", "3"))
    assert.are.equal(0, code, err)
    local list = events(out)
    local last = list[#list]
    assert.are.equal("done", last.event)
    assert.are.equal(folder .. "/run/upscaler.safetensors", last.upscaler)
    local model = assert(Model.load(last.upscaler))
    assert.are.same({ 3, 42, 10 }, { model.about.steps, model.about.pictures, model.about.covers })
    assert.are.equal("x4 x2", model.about.found[4].route)
    assert.are.same(model.about.found[1].clean, list[#list - 4].clean)
    assert.are.same({ "upscaler.safetensors" }, system.list_directory(folder .. "/run"))
    local before = system.stat(last.upscaler)
    local _, again = fixture.daub(words("run", "3"))
    assert.are.equal(json.encode(last), again:match("([^\n]+)\n$"))
    assert.are.same(before, system.stat(last.upscaler)) -- it was there already
  end)

  it("goes on after Ctrl-C, to the same bytes", function()
    local whole, stopped = words("whole.safetensors", "400"), words("stopped.safetensors", "400")
    assert.are.equal(0, (fixture.daub(whole)))
    table.insert(stopped, 1, system.realpath("/proc/self/exe"))
    local process = assert(system.spawn(stopped, { stdin = "null", stdout = "null",
      stderr = "pipe" }))
    system.sleep(0.6)
    process:kill("int")
    assert.are.equal(130, process:wait(60))
    process:close()
    assert.is_nil((system.stat(folder .. "/stopped.safetensors")))
    table.remove(stopped, 1)
    assert.are.equal(0, (fixture.daub(stopped)))
    assert.are.equal(system.sha256_file(folder .. "/whole.safetensors"),
      system.sha256_file(folder .. "/stopped.safetensors"))
    assert.is_nil((system.stat(folder .. "/stopped.safetensors.part")))
  end)

  it("says in one line what is wrong", function()
    for what, list in pairs {
      ["No such file"] = { folder .. "/none", "--out", folder .. "/x" },
      ["0 pictures are too few"] = { folder, "--out", folder .. "/x" },
      ["did you mean --minutes"] = { pictures, "--out", folder .. "/x", "--minuts", "1" },
      ["--out RUN is missing"] = { pictures },
    } do
      local code, _, err = fixture.daub { "upscaler", unpack(list) }
      assert.is_true(code == 1 or code == 2)
      assert.truthy(err:match("^daub: [^\n]*\n$") and err:find(what, 1, true), err)
    end
  end)
end)
