-- The whole way: from the demo's own pictures to a cover, and again without doing anything twice.
local fixture = require "support.learning"
local image = require "daub.image"
local json = require "daub.json"
local system = require "daub.core.system"

describe("daub cover --from demo", function()
  local folder
  setup(function() folder = system.temporary_directory("daub-cover") end)
  teardown(function() fixture.remove(folder) end)

  local function cover(...)
    local words = { "cover", "--from", "demo", "--in", folder, "--pictures", "60", "--count", "2" }
    for word in (fixture.small.lite):gmatch("%S+") do words[#words + 1] = word end
    for _, word in ipairs { ... } do words[#words + 1] = word end
    return fixture.daub(words)
  end

  it("ends with the path of a 1500x500 cover, everything in one folder", function()
    local code, out = cover("--steps", "3")
    assert.are.equal(0, code)
    local path = out:match("([^\n]+)\n$")
    local pixels = assert(image.load(path))
    assert.are.same({ 500, 1500, 3 }, pixels.shape)
    for _, name in ipairs { "covers/collection.db", "covers/sheet.png", "run/run.json",
      "run/checkpoints/step-000003.safetensors", "run/upscaler.safetensors",
      "paintings/grid-seed1-4x8.png" } do
      assert.is_table(system.stat(folder .. "/" .. name), name)
    end
  end)

  it("goes on where it stopped", function()
    local collected = system.stat(folder .. "/covers/sheet.png").mtime
    local third = folder .. "/run/checkpoints/step-000003.safetensors"
    local before = system.sha256_file(third)
    local taught = system.stat(folder .. "/run/upscaler.safetensors")
    local code, out = cover("--steps", "5", "--json")
    assert.are.equal(0, code)
    local last = json.decode(out:match("([^\n]+)\n$"))
    assert.are.equal("done", last.event)
    assert.is_table(system.stat(last.cover))
    assert.are.equal(collected, system.stat(folder .. "/covers/sheet.png").mtime)
    assert.are.equal(before, system.sha256_file(third))
    assert.are.same(taught, system.stat(folder .. "/run/upscaler.safetensors"))
    assert.is_table(system.stat(folder .. "/run/checkpoints/step-000005.safetensors"))
  end)

  it("refuses wrong words before it begins", function()
    for words, pattern in pairs { ["--for twitter"] = "%-%-for: x, facebook",
      ["--recipe dcgn"] = "did you mean dcgan", ["--size 100x30"] = "can be halved",
      ["--set btach=3"] = "did you mean batch" } do
      local list = { "cover", "--from", "demo", "--in", folder .. "/refused" }
      for word in words:gmatch("%S+") do list[#list + 1] = word end
      local code, _, err = fixture.daub(list)
      assert.are.equal(2, code)
      assert.truthy(err:match("^daub: cover: [^\n]*" .. pattern .. "[^\n]*\n$"), err)
      assert.is_nil((system.stat(folder .. "/refused")))
    end
  end)

  it("passes on what a stage has to say", function()
    local code, _, err = fixture.daub { "cover", "--from", "folder:" .. folder .. "/none",
      "--in", folder .. "/other", "--steps", "1" }
    assert.are.equal(1, code)
    assert.truthy(err:match("^daub: .*no such folder"), err)
  end)
end)
