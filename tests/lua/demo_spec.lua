-- The demo's painter: the same pictures for the same seed, and files that are not painted twice.
local demo = require "daub.demo"
local image = require "daub.core.image"
local system = require "daub.core.system"

describe("the demo's painter", function()
  it("paints the same picture for the same number, seed and size", function()
    for index = 1, 15 do
      local a, kind = demo.paint(index, { width = 60, height = 20 })
      local b = demo.paint(index, { width = 60, height = 20 })
      assert.are.equal(system.sha256(a:tostring()), system.sha256(b:tostring()), kind)
    end
  end)

  it("paints others for another seed or number", function()
    local seen = {}
    for seed = 1, 2 do
      for index = 1, 15 do
        local pixels = demo.paint(index, { seed = seed, width = 60, height = 20 })
        local hash = system.sha256(pixels:tostring())
        assert.is_nil(seen[hash])
        seen[hash] = true
      end
    end
  end)

  it("paints nothing blank", function()
    for index = 1, 30 do
      local pixels, kind = demo.paint(index, { width = 120, height = 40 })
      local s = image.statistics(pixels)
      assert.is_true(s.stddev > 3, kind .. " " .. index .. " is blank")
    end
  end)

  it("writes files once and goes on where it stopped", function()
    local folder = system.temporary_directory("daub-demo")
    assert.are.equal(2, demo.write(folder, { count = 2, width = 60, height = 20 }))
    local first = system.read_file(folder .. "/demo-0001.jpg")
    assert.are.equal(1, demo.write(folder, { count = 3, width = 60, height = 20 }))
    assert.are.equal(first, system.read_file(folder .. "/demo-0001.jpg"))
    local pixels = image.decode(first)
    assert.are.same({ 20, 60, 3 }, pixels:shape())
    for _, name in ipairs(system.list_directory(folder)) do system.remove(folder .. "/" .. name) end
    system.remove(folder)
  end)
end)
