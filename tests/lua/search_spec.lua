-- Search: latents of paintings of a theme and in wanted colours.
local autograd = require "daub.autograd"
local demo = require "daub.demo"
local fixture = require "support.learning"
local image = require "daub.image"
local json = require "daub.json"
local nn = require "daub.nn"
local palette = require "daub.looks.palette"
local sample = require "daub.paint.sample"
local search = require "daub.paint.search"
local system = require "daub.core.system"
local tensor = require "daub.tensor"
local themes = require "daub.looks.themes"
local traits = require "daub.looks.traits"

local LATENT = 12

-- A painter of soft patches: each of 2 x 4 has a colour that hangs on the latent.
local function patches()
  local weight = tensor.randn({ LATENT, 24 }, { generator = tensor.generator(3) }) * 0.5
  local Patches = nn.class "Patches"
  function Patches.forward(_, z)
    local x = z:matmul(weight):reshape { z.shape[1], 2, 1, 4, 1, 3 }:tanh()
    return x:expand { z.shape[1], 2, 8, 4, 8, 3 }:reshape { z.shape[1], 16, 32, 3 }
  end
  return Patches():eval()
end

-- A painter of the demo's slogans and hills, by the sign of the latent's third number.
local function signs()
  local slogan = image.to_float(demo.paint(7, { width = 96, height = 32 }))
  local hills = image.to_float(demo.paint(1, { width = 96, height = 32 }))
  local Signs = nn.class "Signs"
  function Signs.forward(_, z)
    local list = {}
    for i, row in ipairs(z:totable()) do list[i] = row[3] > 0 and slogan or hills end
    return tensor.stack(list)
  end
  return Signs():eval(), themes.fit(traits.of(tensor.stack { slogan, hills }))
end

describe("a search", function()
  local colours = assert(palette.parse("#1b2a49,#f2a65a"))

  it("gives the picture's own latent when nothing is wanted", function()
    local z, found = search.new(patches(), { seed = 4, latent = LATENT }):find(9)
    assert.are.equal(sample.latent(4, 9, LATENT):tobytes(), z:tobytes())
    assert.are.same({}, found)
  end)

  it("walks to a palette, on the sphere and with the noise's numbers held", function()
    local painter = patches()
    local finder = search.new(painter, { seed = 1, latent = LATENT, palette = colours })
    for i = 1, 3 do
      local z, found = finder:find(i)
      local told = found.palette
      assert.is_true(told.distance < 0.75 * told.drawn)
      local painted = autograd.no_grad(function() return painter(z) end)
      local apart = palette.distance(palette.points(painted), colours):item()
      assert.is_true(math.abs(apart - told.distance) < 1e-6)
      assert.are.same({ "#1b2a49", "#f2a65a" }, told.wanted)
      local again = search.new(painter, { seed = 1, latent = LATENT, palette = colours }):find(i)
      assert.are.equal(z:tobytes(), again:tobytes())
      local began = false -- one of those drawn has its first two numbers, and its length
      for k = 0, 31 do
        local drawn = sample.latent(1, i + k * 10000, LATENT)
        if drawn:narrow(2, 1, 2):contiguous():tobytes() == z:narrow(2, 1, 2):contiguous():tobytes()
        then
          began = math.abs(drawn:norm():item() - z:norm():item()) < 1e-4
        end
      end
      assert.is_true(began)
    end
  end)

  it("draws until a painting has the theme", function()
    local painter, clusters = signs()
    for theme, sign in pairs { text = 1, landscape = -1 } do
      local finder = search.new(painter,
        { seed = 2, latent = LATENT, theme = theme, themes = clusters })
      for i = 1, 5 do
        local z, found = finder:find(i)
        assert.is_true(z:totable()[1][3] * sign > 0)
        assert.are.equal(theme, found.theme)
      end
    end
    local none, message = search.new(painter,
      { seed = 2, latent = LATENT, theme = "abstract", themes = clusters }):find(6)
    assert.is_nil(none)
    assert.truthy(message:match("none of 256 paintings drawn for number 6 is called abstract"))
  end)

  it("keeps the theme on its way to a palette", function()
    local painter, clusters = signs()
    -- the walk has no slope here: what it may not do is to leave the theme
    function painter.forward(_, z)
      local flat = getmetatable(painter).forward(painter, z:detach())
      return flat + z:sum() * 0
    end
    local z, found = search.new(painter, { seed = 2, latent = LATENT, theme = "text",
      themes = clusters, palette = colours }):find(1)
    assert.is_true(z:totable()[1][3] > 0)
    assert.are.equal("text", found.theme)
    assert.are.equal(found.palette.drawn, found.palette.distance)
  end)

  it("refuses what it does not know", function()
    assert.has_error(function() search.new(patches(), { seed = 1, latent = 3, theme = "text" }) end)
    local _, clusters = signs()
    assert.has_error(function()
      search.new(patches(), { seed = 1, latent = 3, theme = "sky", themes = clusters })
    end)
  end)
end)

describe("daub paint --theme --palette", function()
  local pictures, folder
  setup(function()
    pictures, folder = fixture.pictures(12), system.temporary_directory("daub-search")
    local words = fixture.small.dcgan .. " --steps 2"
    assert.are.equal(0, (fixture.train(pictures, folder .. "/run", words)))
  end)
  teardown(function()
    fixture.remove(folder)
    fixture.remove(pictures)
  end)

  local function paint(words)
    local list = { "paint", folder .. "/run", "--out", folder .. "/out", "--size", "60x20",
      "--count", "1", "--quiet" }
    for word in words:gmatch("%S+") do list[#list + 1] = word end
    return fixture.daub(list)
  end
  local function about(mark)
    return json.decode(assert(system.read_file(
      ("%s/out/60x20-%s-seed1-001.jpg.json"):format(folder, mark))))
  end

  it("writes the distance reached beside the picture", function()
    assert.are.equal(0, (paint "--palette #1b2a49,#f2a65a"))
    local told = about("1b2a49-f2a65a").palette
    assert.is_true(told.distance <= told.drawn)
    assert.are.same({ "#1b2a49", "#f2a65a" }, told.wanted)
    assert.are.equal(5, #told.found)
    local code, _, err = paint "--palette #1b2a4"
    assert.are.equal(2, code)
    assert.truthy(err:match("^daub: paint: %-%-palette: '#1b2a4': a colour as #1b2a49 expected"))
  end)

  it("paints a theme that comes, and says which does not", function()
    local came = 0
    for _, theme in ipairs(themes.names) do
      local code, _, err = paint("--theme " .. theme)
      if code == 0 then
        came = came + 1
        assert.are.equal(theme, about(theme).theme)
      else
        assert.are.equal(1, code)
        assert.truthy(err:match("^daub: paint: none of 256 .* is called " .. theme))
      end
    end
    assert.is_true(came >= 1 and came < 4)
  end)

  it("says when the pictures are gone that tell themes apart", function()
    fixture.remove(pictures .. "/cache")
    local code, _, err = paint "--theme text"
    assert.are.equal(1, code)
    assert.truthy(err:match("^daub: paint: %-%-theme: the pictures .* are gone"))
  end)
end)
