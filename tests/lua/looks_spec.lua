-- Looks: colours in OKLab, k-means, palettes, traits and themes of pictures.
local autograd = require "daub.autograd"
local catalogue = require "daub.looks.catalogue"
local checkpoint = require "daub.checkpoint"
local data = require "daub.learn.data"
local demo = require "daub.demo"
local fixture = require "support.learning"
local image = require "daub.image"
local kmeans = require "daub.looks.kmeans"
local oklab = require "daub.looks.oklab"
local palette = require "daub.looks.palette"
local system = require "daub.core.system"
local tensor = require "daub.tensor"
local themes = require "daub.looks.themes"
local traits = require "daub.looks.traits"

local function near(expected, x, tolerance)
  assert.is_true((expected - x):abs():max():item() <= tolerance,
    "more than " .. tolerance .. " apart")
end

-- Pictures {N, h, w, 3} of the demo, and their kinds.
local function painted(count, width, height)
  local list, kinds = {}, {}
  for i = 1, count do
    local pixels, kind = demo.paint(i, { width = width, height = height })
    list[i], kinds[i] = image.to_float(pixels), kind
  end
  return tensor.stack(list), kinds
end

describe("OKLab", function()
  it("has the values of its author", function()
    local rgb = tensor.from { { 1, 1, 1 }, { -1, -1, -1 }, { 1, -1, -1 }, { -1, 1, -1 },
      { -1, -1, 1 } }
    near(tensor.from { { 1, 0, 0 }, { 0, 0, 0 }, { 0.62796, 0.22486, 0.12585 },
      { 0.86644, -0.23389, 0.17950 }, { 0.45201, -0.03246, -0.31153 } }, oklab.from_rgb(rgb), 2e-3)
  end)

  it("goes back to the colours it came from, and cuts off what no screen shows", function()
    local rgb = tensor.rand({ 5, 7, 3 }, { generator = tensor.generator(1) }) * 2 - 1
    near(rgb, oklab.to_rgb(oklab.from_rgb(rgb)), 1e-3)
    near(tensor.from { { 1, 1, 1 } }, oklab.to_rgb(tensor.from { { 1.2, 0, 0 } }), 1e-6)
    assert.has_error(function() oklab.from_rgb(tensor.zeros { 4 }) end)
    assert.has_error(function() oklab.from_rgb(tensor.zeros({ 4, 3 }, { dtype = "u8" })) end)
  end)

  it("lets gradients through, also at black and white", function()
    local rgb = tensor.from({ { 0.3, -0.2, 0.7 }, { -0.95, -0.99, 0.9 } }, { dtype = "f64" })
    assert.is_true((autograd.check(oklab.from_rgb, { rgb:requires_grad_() })))
    local ends = tensor.from({ { -1, -1, -1 }, { 1, 1, 1 } }):requires_grad_()
    oklab.from_rgb(ends):sum():backward()
    assert.are.equal(1, ends.grad:isfinite():all():item())
  end)
end)

describe("k-means", function()
  -- three heaps far apart, ten points each
  local function heaps(seed)
    local at = tensor.from { { 0, 0 }, { 10, 0 }, { 0, 10 } }:reshape { 3, 1, 2 }
    local noise = tensor.rand({ 3, 10, 2 }, { generator = tensor.generator(seed) })
    return (at + noise):reshape { 30, 2 }
  end

  it("finds heaps, whatever the seed", function()
    for seed = 1, 5 do
      local points = heaps(seed)
      local centres, index = kmeans.fit(points, 3, { seed = seed })
      local list = index:totable()
      for heap = 0, 2 do
        for i = 2, 10 do assert.are.equal(list[heap * 10 + 1], list[heap * 10 + i]) end
        near(points:narrow(1, heap * 10 + 1, 10):mean(1),
          centres:select(1, list[heap * 10 + 1]), 1e-5)
      end
      assert.are_not.equal(list[1], list[11])
      assert.are_not.equal(list[11], list[21])
      local again, distance = kmeans.nearest(points, centres)
      assert.are.same(list, again:totable())
      near((points - centres:index_select(1, index)):square():sum(2), distance, 1e-4)
    end
  end)

  it("clusters a set for itself, whatever is beside it", function()
    local alone = kmeans.fit(heaps(1), 4, { steps = 7 })
    local beside = kmeans.fit(tensor.stack { heaps(2), heaps(1), heaps(3) }, 4, { steps = 7 })
    assert.are.equal(alone:tobytes(), beside:select(1, 2):contiguous():tobytes())
  end)

  it("does with fewer different points than centres", function()
    local centres, index = kmeans.fit(tensor.ones { 3, 2 }, 5)
    near(tensor.ones { 5, 2 }, centres, 0)
    assert.are.same({ 1, 1, 1 }, index:totable())
    assert.has_error(function() kmeans.fit(tensor.ones { 3 }, 1) end)
    assert.has_error(function() kmeans.fit(tensor.ones { 3, 1 }, 0) end)
  end)
end)

describe("a palette", function()
  local words = "#ffffff,#101040,#c02020,#20a040,#f0e030"
  local five = assert(palette.parse(words))

  -- upright stripes of the five colours, the first one the widest
  local function stripes()
    local columns = {}
    for x = 1, 48 do columns[x] = math.max(1, math.ceil((x - 8) / 8)) end
    local row = oklab.to_rgb(five):index_select(1, tensor.from(columns, { dtype = "i64" }))
    return row:reshape { 1, 1, 48, 3 }:expand { 1, 16, 48, 3 }:contiguous()
  end

  it("is what a picture is made of, dark colours first", function()
    local found, shares = palette.of(stripes())
    assert.are.same({ "#101040", "#c02020", "#20a040", "#f0e030", "#ffffff" },
      palette.hex(found:select(1, 1)))
    near(tensor.from { { 1, 1, 1, 1, 2 } } / 6, shares, 1e-6)
    assert.are.same({ "#ffffff", "#101040", "#c02020", "#20a040", "#f0e030" }, palette.hex(five))
  end)

  it("is near to pictures that have its colours, all of them and no others", function()
    local points = palette.points(stripes())
    local function apart(text)
      return palette.distance(points, assert(palette.parse(text))):item()
    end
    assert.is_true(apart(words) < 1e-3)
    assert.is_true(apart("#ffffff,#101040") > 0.05)            -- others are there, too
    assert.is_true(apart("#ffffff,#101040,#c02020,#20a040,#ff00ff") > 0.03) -- one is missing
    assert.is_true(apart("#00ffff") > apart("#20a040"))
    -- a palette against a palette
    near(tensor.zeros { 1 }, palette.distance(five:unsqueeze(1), five), 2e-4)
  end)

  it("pulls a picture towards it", function()
    local wanted = assert(palette.parse("#1b2a49,#f2a65a"))
    local x = (stripes() * 0.5):requires_grad_()
    local before = palette.distance(palette.points(x), wanted)
    before:sum():backward()
    local after = palette.distance(palette.points(x:detach() - x.grad * 2), wanted)
    assert.is_true(after:item() < before:item())
  end)

  it("is read from words", function()
    assert.are.same({ "#aabbcc", "#1b2a49" }, palette.hex(assert(palette.parse("abc, #1B2A49"))))
    assert.are.same({ "#1b2a49", "#1b2a49", "#1b2a49", "#f2a65a", "#f2a65a" },
      palette.hex(palette.filled(assert(palette.parse("#1b2a49,#f2a65a")))))
    for text, expected in pairs { ["#12345"] = "'#12345': a colour", [""] = "'': a colour",
      ["#123456,,#123456"] = "'': a colour", ["red"] = "'red': a colour",
      ["#000,#111,#222,#333,#444,#555"] = "6 colours: at most 5" } do
      local found, message = palette.parse(text)
      assert.is_nil(found)
      assert.are.equal(1, message:find(expected, 1, true), message)
    end
  end)
end)

describe("traits", function()
  it("are finite for blank pictures and alike for all sizes of one", function()
    local blank = traits.of(tensor.zeros { 2, 8, 24, 3 })
    assert.are.same({ 2, traits.count }, blank.shape)
    assert.are.equal(1, blank:isfinite():all():item())
    local small, large = traits.of((painted(15, 96, 32))), traits.of((painted(15, 288, 96)))
    assert.is_true((small - large):abs():mean():item() < 0.25)
  end)

  it("belong to a picture, whatever is beside it", function()
    local x = painted(6, 96, 32)
    assert.are.equal(traits.of(x):narrow(1, 4, 1):contiguous():tobytes(),
      traits.of(x:narrow(1, 4, 1):contiguous()):tobytes())
  end)
end)

describe("themes", function()
  local expected = { slogan = "text", hills = "landscape", sea = "landscape",
    mountains = "landscape", blobs = "abstract", rays = "abstract" }

  it("tell the demo's lettering, landscapes and designs apart", function()
    local x, kinds = painted(60, 192, 64)
    local found, right, count = themes.by_rules(traits.of(x)):totable(), 0, 0
    for i, kind in ipairs(kinds) do
      if expected[kind] then
        count = count + 1
        if themes.names[found[i]] == expected[kind] then right = right + 1 end
      end
    end
    assert.is_true(right >= 0.85 * count, right .. " of " .. count)
  end)

  it("part each theme in two clusters, the larger first", function()
    local found = traits.of((painted(60, 96, 32)))
    local model = themes.fit(found)
    local clusters, ruled, sizes = model:of(found):totable(), themes.by_rules(found):totable(), {}
    for i, cluster in ipairs(clusters) do
      assert.are.equal(themes.names[ruled[i]], themes.name(cluster))
      sizes[cluster] = (sizes[cluster] or 0) + 1
    end
    for theme = 1, 4 do
      assert.is_true((sizes[2 * theme - 1] or 0) >= (sizes[2 * theme] or 0))
    end
    assert.are.same(clusters, themes.from(model:state()):of(found):totable())
    assert.has_error(function() themes.fit(tensor.zeros { 3, 2 }) end)
  end)

  it("are what people would say of most real covers", function()
    local covers = os.getenv("DAUB_TEST_COVERS")
    local listed = covers and system.read_file(covers .. "/INDEX.tsv")
    if not listed then
      return pending("DAUB_TEST_COVERS names no folder of covers with an INDEX.tsv")
    end
    local wanted = { landscape = 1, text = 2, abstract = 3, people_animals = 4, misc = 4 }
    local pictures, labels = {}, {}
    for line in listed:gmatch("[^\n]+") do
      local name, theme = line:match("^(%S+%.jpg)\t" .. ("[^\t]*\t"):rep(5) .. "([%a_]+)\t")
      if name and #pictures < 400 then
        local picture = image.load(covers .. "/" .. name)
        pictures[#pictures + 1] = image.to_float(image.cover(picture, 96, 32))
        labels[#labels + 1] = wanted[theme]
      end
    end
    local found, right = themes.by_rules(traits.of(tensor.stack(pictures))):totable(), 0
    for i, theme in ipairs(found) do right = right + (theme == labels[i] and 1 or 0) end
    assert.is_true(right >= 0.6 * #labels, right .. " of " .. #labels)
  end)
end)

describe("a catalogue of looks", function()
  it("is made once, and again when what is kept does not fit", function()
    local folder = fixture.pictures(9)
    local o = { width = 24, height = 8, cache = folder .. "/cache" }
    local pictures = data.folder(folder)
    local set, path = assert(data.open(pictures, o)), (data.path(pictures, o))
    local calls = 0
    local function open()
      return assert(catalogue.open(set, path, function() calls = calls + 1 end))
    end
    local looks = open()
    assert.are.same({ 9, traits.count }, looks.traits.shape)
    assert.are.same({ 9, palette.colours, 3 }, looks.palettes.shape)
    local kept = system.read_file(path:gsub("pack$", "looks") .. "")
    assert.are.equal(looks.palettes:tobytes(), open().palettes:tobytes())
    assert.are.equal(1, calls)
    system.write_file(path:gsub("pack$", "looks") .. "", "damaged")
    open()
    assert.are.equal(2, calls)
    checkpoint.save(path:gsub("pack$", "looks") .. "",
      { format = 1, themes = {}, traits = tensor.zeros { 9, traits.count } })
    open()
    assert.are.equal(3, calls)
    assert.are.equal(kept, system.read_file(path:gsub("pack$", "looks") .. ""))
    set:close()
    fixture.remove(folder)
  end)
end)
