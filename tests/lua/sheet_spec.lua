local array = require "daub.core.array"
local collection = require "daub.collect.collection"
local demo = require "daub.demo"
local image = require "daub.core.image"
local sheet = require "daub.show.sheet"
local support = require "support.collecting"
local system = require "daub.core.system"

-- A collection of n pictures, and the folder it lies in.
local function covers_of(n)
  local folder = support.folder()
  for i = 1, n do
    support.write(("%s/%03d.png"):format(folder, i), image.encode_png(support.patches(i)))
  end
  support.collect(folder .. "/c", "folder:" .. folder)
  return assert(collection.open(folder .. "/c")), folder
end

after_each(support.clean_up)
teardown(support.stop)

describe("a contact sheet", function()
  it("lays pictures out in whole rows", function()
    local covers = covers_of(14)
    local o = { cell = { width = 30, height = 10 }, columns = 4, gap = 2 }
    local pixels, info = assert(sheet.make(covers, o))
    assert.same({ 3 * 12 + 2, 4 * 32 + 2, 3 }, pixels.shape)
    assert.equal(4, info.columns)
    assert.equal(3, info.rows)
    assert.equal(12, #info.pictures)
    o.columns, o.count = nil, 5
    assert.equal(5, #select(2, assert(sheet.make(covers, o))).pictures)
    covers:close()
  end)

  it("shows each picture once, in an order that a seed repeats", function()
    local covers = covers_of(12)
    local function order_of(o)
      o.cell, o.columns = { width = 30, height = 10 }, 3
      local _, info = assert(sheet.make(covers, o))
      local seen = {}
      for _, sha256 in ipairs(info.pictures) do
        assert.is_nil(seen[sha256])
        seen[sha256] = true
      end
      return table.concat(info.pictures, " ")
    end
    assert.equal(order_of({ seed = 7 }), order_of({ seed = 7 }))
    assert.equal(order_of({ seed = 7, order = "random" }), order_of({ seed = 7, order = "random" }))
    assert.not_equal(order_of({ seed = 7, order = "random" }),
      order_of({ seed = 8, order = "random" }))
    order_of({ order = "newest" })
    covers:close()
  end)

  it("puts light above dark and colours before greys", function()
    local folder = support.folder()
    for i = 1, 6 do
      for _, grey in ipairs { true, false } do
        -- a shade with a faint pattern of its own, so that no two look alike
        local noise = array.cast(support.patches(10 * i + (grey and 1 or 0)), "f32")
        local rest = grey and 30 * i or 0
        local tint = array.from({ 30 * i, rest, rest }, { 3 }, "f32")
        if grey then noise = array.narrow(noise, 3, 1, 1) end
        local shade = array.binary("add", array.binary("mul", noise, 0.15), tint)
        support.write(("%s/%d%s.png"):format(folder, i, tostring(grey)),
          image.encode_png(array.contiguous(array.cast(shade, "u8"))))
      end
    end
    support.collect(folder .. "/c", "folder:" .. folder)
    local covers = assert(collection.open(folder .. "/c"))
    local pixels, info = assert(sheet.make(covers, { columns = 2, gap = 0,
      cell = { width = 30, height = 10 } }))
    assert.equal(12, #info.pictures)
    local function mean(row, column)
      local cell = array.narrow(array.narrow(pixels.array, 1, row * 10 - 9, 10), 2,
        column * 30 - 29, 30)
      return image.statistics(array.contiguous(cell)).mean
    end
    for row = 2, 6 do
      for column = 1, 2 do assert.is_true(mean(row, column)[1] <= mean(row - 1, column)[1] + 1) end
    end
    assert.is_true(mean(3, 1)[1] > 2 * mean(3, 1)[2])
    covers:close()
  end)

  it("puts one theme below the other", function()
    local folder = support.folder()
    demo.write(folder, { count = 14, width = 300, height = 100 })
    support.collect(folder .. "/c", "folder:" .. folder)
    local covers = assert(collection.open(folder .. "/c"))
    local pixels, info = assert(sheet.make(covers, { by = "theme", columns = 4, gap = 0,
      cell = { width = 96, height = 32 } }))
    assert.equal(14, #info.pictures)
    local place, before, counts = { landscape = 1, text = 2, abstract = 3, objects = 4 }, 0, {}
    for _, theme in ipairs(info.themes) do
      assert.is_true(place[theme] >= before)
      before, counts[theme] = place[theme], (counts[theme] or 0) + 1
    end
    assert.is_true(counts.landscape >= 4 and counts.text >= 3)
    local rows = 0
    for _, count in pairs(counts) do rows = rows + math.ceil(count / 4) end
    assert.same({ rows * 32, 4 * 96, 3 }, pixels.shape)
    assert.equal(rows, info.rows)
    covers:close()
  end)

  it("says what is wrong", function()
    local covers = covers_of(2)
    local _, message = sheet.make(covers, { cell = { width = 20000, height = 20000 } })
    assert.matches("megapixels is over the limit", message)
    for _, picture in ipairs(covers:pictures()) do os.remove(picture.path) end
    local _, why, code = sheet.make(covers)
    assert.matches("no pictures", why)
    assert.equal("empty", code)
    covers:close()
  end)

  it("leaves out what cannot be decoded any more", function()
    local covers = covers_of(5)
    support.write(covers:pictures()[1].path, "no picture")
    local _, info = assert(sheet.make(covers, { cell = { width = 30, height = 10 } }))
    assert.equal(4, #info.pictures)
    covers:close()
  end)

  it("is a program, too", function()
    local covers, folder = covers_of(8)
    covers:close()
    local daub = system.realpath("/proc/self/exe")
    local out = folder .. "/sheet.png"
    local process = assert(system.spawn({ daub, "sheet", folder .. "/c", "--out", out, "--quiet",
      "--cell", "60x20" }, { stdout = "null" }))
    assert.equal(0, process:wait())
    assert.equal("png", (image.probe(system.read_file(out))))
    assert.matches('"pictures"', system.read_file(folder .. "/sheet.json"))
    for _, name in ipairs { "/a.txt", "/a.p", "/png" } do
      process = assert(system.spawn({ daub, "sheet", folder .. "/c", "--out", folder .. name },
        { stderr = "null" }))
      assert.equal(2, process:wait())
    end
  end)
end)
