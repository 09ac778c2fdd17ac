-- Painting: the same bytes for the same seed, sizes and limits of the networks, sidecars, grids.
local Model = require "daub.upscale.model"
local fixture = require "support.learning"
local image = require "daub.image"
local json = require "daub.json"
local sample = require "daub.paint.sample"
local sizes = require "daub.sizes"
local system = require "daub.core.system"
local tensor = require "daub.tensor"

describe("a latent", function()
  it("belongs to its seed and number", function()
    local a = sample.latent(3, 7, 10)
    assert.are.same({ 1, 10 }, a.shape)
    assert.are.equal(a:tobytes(), sample.latent(3, 7, 10):tobytes())
    assert.are_not.equal(a:tobytes(), sample.latent(3, 8, 10):tobytes())
    assert.are_not.equal(a:tobytes(), sample.latent(4, 7, 10):tobytes())
  end)
end)

describe("encoding", function()
  local noise = tensor.rand({ 64, 192, 3 }, { generator = tensor.generator(1) }) * 2 - 1

  it("gives the best quality under the limit", function()
    local large = assert(image.encode_within(noise, "jpeg"))
    local small = assert(image.encode_within(noise, "jpeg", 8000))
    assert.is_true(#large > 8000 and #small <= 8000)
    local pixels = assert(image.decode(small))
    assert.are.same({ 64, 192, 3 }, pixels.shape)
  end)

  it("says when nothing fits", function()
    for _, format in ipairs { "jpeg", "png" } do
      local bytes, message = image.encode_within(noise, format, 100)
      assert.is_nil(bytes)
      assert.truthy(message:match("over the limit of 100"))
    end
  end)
end)

describe("daub paint", function()
  local pictures, folder
  setup(function()
    pictures = fixture.pictures(8)
    folder = system.temporary_directory("daub-paint")
    local words = fixture.small.dcgan .. " --steps 2 --save-every 0"
    assert.are.equal(0, fixture.train(pictures, folder .. "/run", words))
  end)
  teardown(function()
    fixture.remove(folder)
    fixture.remove(pictures)
  end)

  local function paint(out, words, run)
    local list = { "paint", folder .. "/" .. (run or "run"), "--out", folder .. "/" .. out,
      "--quiet" }
    for word in words:gmatch("%S+") do list[#list + 1] = word end
    return fixture.daub(list)
  end
  local function read(name) return assert(system.read_file(folder .. "/" .. name)) end

  it("paints the same bytes again, however many and with however many threads", function()
    assert.are.equal(0, (paint("a", "--count 3 --size 300x100")))
    assert.are.equal(0, (paint("b", "--count 1 --size 300x100 --threads 1")))
    assert.are.equal(0, (paint("c", "--count 1 --size 300x100 --seed 2")))
    local name = "/300x100-seed1-001.jpg"
    assert.are.equal(read("a" .. name), read("b" .. name))
    assert.are.equal(read("a" .. name .. ".json"), read("b" .. name .. ".json"))
    assert.are_not.equal(read("a" .. name), read("a/300x100-seed1-002.jpg"))
    assert.are_not.equal(read("a" .. name), read("c/300x100-seed2-001.jpg"))
  end)

  it("writes beside each picture what made it", function()
    local about = json.decode(read("a/300x100-seed1-002.jpg.json"))
    assert.are.equal(2, about.index)
    assert.are.equal(1, about.seed)
    assert.are.equal(100, #about.latent)
    assert.are.equal(2, about.step)
    assert.are.equal(system.realpath(folder .. "/run"), about.run)
    local checkpoint = folder .. "/run/checkpoints/step-000002.safetensors"
    assert.are.equal(system.sha256_file(checkpoint), about.checkpoint)
    assert.are.equal(3, #about.nearest)
    assert.is_true(about.nearest[1].distance <= about.nearest[2].distance)
    assert.are.equal(64, #about.nearest[1].sha256)
  end)

  it("keeps every network's size and limit", function()
    for name, size in pairs(sizes.networks) do
      local code, out = paint("all", "--count 1 --for " .. name)
      assert.are.equal(0, code)
      local path = out:match("([^\n]+)\n$")
      local bytes = system.read_file(path)
      assert.is_true(#bytes <= size.max_bytes)
      local format, width, height = image.probe(bytes)
      assert.are.same({ "jpeg", size.width, size.height }, { format, width, height })
    end
  end)

  it("enlarges with the run's upscaler, if there is one, or as told", function()
    local function enlarged(out, words)
      assert.are.equal(0, (paint(out, "--count 1 --size 300x100 " .. words)))
      return json.decode(read(out .. "/300x100-seed1-001.jpg.json")).enlarged
    end
    assert.are.same({ by = "lanczos" }, enlarged("plain", ""))
    local code, _, err = paint("plain", "--upscale learned")
    assert.are.equal(1, code)
    assert.truthy(err:match("^daub: paint: .*no upscaler here"), err)

    local path = folder .. "/run/" .. Model.name
    local model = Model.new { features = 4, layers = 1 }
    model.weights.first[4], model.weights.later[4] = 1, 1
    assert(model:save(path))
    local about = enlarged("learned", "")
    assert.are.equal("learned", about.by)
    assert.are.same({ "x4", "x4" }, about.steps)
    assert.are.equal(system.sha256_file(path), about.upscaler)
    assert.are.same({ by = "lanczos" }, enlarged("again", "--upscale lanczos"))
    local name = "/300x100-seed1-001.jpg"
    assert.are.equal(read("plain" .. name), read("again" .. name))
    assert.are_not.equal(read("plain" .. name), read("learned" .. name))
    system.remove(path)
  end)

  it("takes the checkpoint it is told to", function()
    local code, _, err = paint("step", "--count 1 --step 7")
    assert.are.equal(1, code)
    assert.truthy(err:match("no checkpoint of step 7"), err)
    assert.truthy(select(3, paint("step", "--step best")):match("no checkpoint of it was measured"))
    assert.truthy(select(3, paint("step", "--step good")):match("best, latest or a step's number"))
    assert.are.equal(0, (paint("step", "--count 1 --step latest --size 300x100")))
    assert.are.equal(read("a/300x100-seed1-001.jpg"), read("step/300x100-seed1-001.jpg"))
    -- one that measured better than the last
    local best = folder .. "/run/checkpoints/best"
    system.write_file(best, "step-000001.safetensors 1.5\n")
    assert.are.equal(0, (paint("step", "--count 1 --size 30x10")))
    assert.are.equal(1, json.decode(read("step/30x10-seed1-001.jpg.json")).step)
    system.remove(best)
  end)

  it("paints grids", function()
    assert.are.equal(0, (paint("grid", "--grid 3x2")))
    local pixels = assert(image.load(folder .. "/grid/grid-seed1-3x2.png"))
    assert.are.same({ 2 * 16 + 3 * 2, 3 * 32 + 4 * 2, 3 }, pixels.shape)
    assert.are.equal(2, #system.list_directory(folder .. "/grid"))
    assert.are.equal(6, #json.decode(read("grid/grid-seed1-3x2.png.json")).pictures)
  end)

  it("chooses the best, tells why, and paints the same pictures as without", function()
    local code, out, err = paint("best", "--best-of 16 --count 3")
    assert.are.equal(0, code, err) -- two steps of dcgan paint grey: blank ones are taken then
    assert.are.equal(3, select(2, out:gsub("[^\n]+", "")))
    assert.are.equal(0, fixture.train(pictures, folder .. "/lite", fixture.small.lite
      .. " --steps 1"))
    code, out, err = paint("best", "--best-of 16 --count 3 --size 64x32 --allow-copies", "lite")
    assert.are.equal(0, code, err)
    local ranks, scored = {}, 0
    for path in out:gmatch("[^\n]+") do
      local about = json.decode(assert(system.read_file(path .. ".json")))
      assert.is_true(about.index >= 1 and about.index <= 16)
      assert.are.equal(16, about.best_of)
      assert.is_boolean(about.near.copy)
      assert.is_number(about.score.critic + about.score.sharpness + about.score.novelty)
      ranks[#ranks + 1], scored = about.rank, about.index
    end
    assert.is_true(#ranks >= 1)
    for i = 1, #ranks do assert.are.equal(i, ranks[i]) end
    assert.are.equal(0, (paint("some", ("--count %d --size 64x32 --allow-copies"):format(scored),
      "lite")))
    local name = ("/64x32-seed1-%03d.jpg"):format(scored)
    assert.are.equal(read("some" .. name), read("best" .. name))
  end)

  it("is calmer when asked to be", function()
    assert.are.equal(0, (paint("calm", "--calm --count 1 --size 64x32 --allow-copies")))
    assert.are.equal(0, (paint("usual", "--count 1 --size 64x32 --allow-copies")))
    local calm = json.decode(read("calm/64x32-calm-seed1-001.jpg.json"))
    local usual = json.decode(read("usual/64x32-seed1-001.jpg.json"))
    assert.are.equal(0.75, calm.scale)
    assert.is_true(math.abs(calm.latent[5] - 0.75 * usual.latent[5]) < 1e-6)
    assert.are_not.equal(read("calm/64x32-calm-seed1-001.jpg"), read("usual/64x32-seed1-001.jpg"))
  end)

  it("walks, and draws lines", function()
    local code, out, err = paint("walk", "--walk 5 --count 3 --size 40x20 --allow-copies")
    assert.are.equal(0, code, err)
    assert.truthy(out:match("walk%-seed1%-5%.webp\n$"))
    assert.are.equal(5, #system.list_directory(folder .. "/walk/walk-seed1-5"))
    local _, info = image.decode(read("walk/walk-seed1-5.webp"))
    assert.are.same({ 5, 40, 20 }, { info.frames, info.width, info.height })
    assert.are.equal(3, #json.decode(read("walk/walk-seed1-5.webp.json")).pictures)
    assert.are.equal(0, (paint("line", "--between 1,4:2 --count 4")))
    local pixels = assert(image.load(folder .. "/line/strip-1.1-4.2-4.png"))
    assert.are.same({ 16 + 2 * 2, 4 * 32 + 5 * 2, 3 }, pixels.shape)
  end)

  it("refuses what does not go together", function()
    assert.are.equal(2, (paint("x", "--for x --size 30x10")))
    local code, _, err = fixture.daub { "paint", folder .. "/none", "--out", folder .. "/x" }
    assert.are.equal(1, code)
    assert.truthy(err:match("^daub: paint: .*no run here"))
  end)
end)
