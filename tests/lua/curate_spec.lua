-- Choosing paintings, near-copies, walks and films.
local core = require "daub.core.data"
local curate = require "daub.paint.curate"
local demo = require "daub.demo"
local draw = require "daub.paint.draw"
local film = require "daub.paint.film"
local fixture = require "support.learning"
local image = require "daub.image"
local near = require "daub.paint.near"
local nn = require "daub.nn"
local request = require "daub.paint.request"
local sample = require "daub.paint.sample"
local system = require "daub.core.system"
local tensor = require "daub.tensor"
local walk = require "daub.paint.walk"

-- A dataset of the demo's pictures at 96x32, and those.
local function dataset(folder, count)
  local pictures = folder .. "/pictures"
  assert(demo.write(pictures, { count = count, width = 96, height = 32 }))
  local list, path = {}, folder .. "/96x32.pack"
  local writer = assert(core.writer(path, 96, 32, count))
  for i, name in ipairs(system.list_directory(pictures)) do
    list[i] = image.cover(assert(image.load(pictures .. "/" .. name)), 96, 32)
    writer:put(i, system.sha256(name), list[i].array)
  end
  assert(writer:finish())
  return assert(core.open(path)), path, list
end

local function mirrored(x)
  local order = {}
  for i = 1, 96 do order[i] = 97 - i end
  return x:index_select(2, order)
end

describe("near-copies", function()
  local folder, set, path, list, index
  setup(function()
    folder = system.temporary_directory("daub-near")
    set, path, list = dataset(folder, 40)
    index = near.open(set, path)
  end)
  teardown(function() fixture.remove(folder) end)

  it("are found through JPEG, another brightness and mirrors, and named", function()
    local changed = {
      image.decode(image.encode(list[3], "jpeg", { quality = 60 })),
      image.from_float(image.to_float(list[11]) * 0.8 + 0.1), mirrored(list[20]),
    }
    local about = index:of(tensor.stack(changed))
    for k, i in ipairs { 3, 11, 20 } do
      assert.is_true(about[k].copy)
      -- one of its twins, if it has some
      local theirs = list[i]
      for j = 1, 40 do if set:id(j) == about[k].sha256 then theirs = list[j] end end
      local bits = math.min(image.phash_distance(image.phash(theirs), image.phash(changed[k])),
        image.phash_distance(image.phash(theirs), image.phash(mirrored(changed[k]))))
      assert.is_true(bits <= near.bits)
    end
  end)

  it("are not what is only of one kind", function()
    local noise = tensor.rand({ 8, 32, 96, 3 }, { generator = tensor.generator(1) }) * 2 - 1
    for _, about in ipairs(index:of(noise)) do
      assert.is_false(about.copy)
      assert.is_true(about.bits > near.bits and about.distance > 0)
    end
  end)

  it("are the same when what was kept beside the dataset is used, or is broken", function()
    local beside = folder .. "/96x32.near"
    assert.truthy(system.stat(beside))
    local again = near.open(set, path)
    assert.are.equal(index.nearest, again.nearest)
    assert.are.same(index.hashes, again.hashes)
    assert(system.write_file(beside, "broken"))
    assert.are.same(index.hashes, near.open(set, path).hashes)
  end)
end)

describe("choosing", function()
  it("knows blank pictures, blur and grain", function()
    local flat = tensor.zeros({ 32, 96, 3 }):to("u8")
    assert.is_true(curate.is_blank(flat))
    local noise = image.from_float(tensor.rand({ 32, 96, 3 },
      { generator = tensor.generator(2) }) * 2 - 1)
    assert.is_false(curate.is_blank(noise))
    local blurred = image.resize(image.resize(noise, 12, 4), 96, 32)
    assert.is_true(curate.sharpness(noise) > 2 * curate.sharpness(blurred))
  end)

  it("wants the sharpness of covers, not the most", function()
    local candidates = {}
    for i, s in ipairs { 0.05, 0.2, 0.8 } do
      candidates[i] = { critic = 0, sharpness = s, novelty = 1 }
    end
    local scores = curate.scores(candidates, { sharpness = 0.2 })
    assert.is_true(scores[2].total > scores[1].total and scores[2].total > scores[3].total)
  end)

  it("takes the best first, then what differs", function()
    local features = tensor.from { { 0, 0 }, { 0.01, 0 }, { 5, 5 }, { 0, 0.02 } }
    local scores = { { total = 1 }, { total = 0.9 }, { total = 0.5 }, { total = 0.8 } }
    assert.are.same({ 1, 3 }, curate.choose(scores, { features }, 2))
    assert.are.equal(4, #curate.choose(scores, { features }, 9))
  end)
end)

describe("drawing", function()
  -- Paints number i in a grey that grows with i; those of `copies` are covers.
  local function drawing(copies, o)
    local painter = nn.class "Plain"
    function painter.forward(_, z)
      local n = z.shape[1]
      return z:reshape { n, 1, 1, 1 }:expand { n, 8, 24, 3 } * 0.01
    end
    local index = {}
    function index.of(_, painted)
      local list = {}
      for k = 1, painted.shape[1] do
        local i = math.floor((painted:select(1, k):to("f32"):mean():item() / 127.5 - 1) * 100 + 0.5)
        list[k] = { copy = copies[i] or false, sha256 = ("a"):rep(64), distance = 1, bits = 9 }
      end
      return list
    end
    o = o or {}
    o.painter, o.near = painter(), index
    o.finder = { find = function(_, i) return tensor.full({ 1, 1 }, i), {} end }
    return draw.new(o)
  end
  local function numbers(picks)
    local list = {}
    for i, pick in ipairs(picks) do list[i] = pick.index end
    return list
  end

  it("passes over near-copies, unless they are wanted, and says so", function()
    local picks, told = drawing({ [2] = true, [4] = true }):take(4)
    assert.are.same({ 1, 3, 5, 6 }, numbers(picks))
    assert.are.same({ 2, 4 }, numbers(told.copies))
    assert.truthy(draw.words(told, 4, 4)[1]:match("passed over: 2 nearly covers %(2 is nearly aaa"))
    picks, told = drawing({ [2] = true }, { allow_copies = true }):take(2)
    assert.are.same({ 1, 2 }, numbers(picks))
    assert.is_true(picks[2].near.copy)
    assert.are.same({}, draw.words(told, 2, 2))
  end)

  it("gives up when all are copies", function()
    local all = setmetatable({}, { __index = function() return true end })
    local picks, message = drawing(all):take(1)
    assert.is_nil(picks)
    assert.truthy(message:match("are nearly covers"))
  end)

  it("reads pairs", function()
    assert.are.same({ { seed = 1, index = 3 }, { seed = 7, index = 2 } }, draw.pair("3,7:2", 1))
    for _, text in ipairs { "", "3", "3,", "0,1", "1,2,3", ":1,2", "a,b", "1:2:3,4", "-1,2" } do
      local pair, message = draw.pair(text, 1)
      assert.is_nil(pair, text)
      assert.truthy(message:match("expected"))
    end
  end)
end)

describe("batches of eight", function()
  it("are bit for bit the same in any place, among any others", function()
    local z = tensor.randn({ 11, 16 }, { generator = tensor.generator(3) })
    local net = require("daub.learn.networks.cover").recipes.tiny.generator {
      width = 96, height = 32, latent = 16, widths = 20, condition = "none" }
    net:eval()
    local all = sample.batch(net, z)
    for _, i in ipairs { 1, 5, 11 } do
      assert.are.equal(all:select(1, i):contiguous():tobytes(),
        sample.batch(net, z:narrow(1, i, 1)):select(1, 1):contiguous():tobytes())
    end
  end)
end)

describe("a walk", function()
  local function latents(n, seed)
    local list, generator = {}, tensor.generator(seed)
    for i = 1, n do list[i] = tensor.randn({ 1, 40 }, { generator = generator }) end
    return list
  end
  -- The angle between rows i and j without the numbers that stay.
  local function angle(z, i, j)
    local a, b = z:narrow(1, i, 1):narrow(2, 3, 38), z:narrow(1, j, 1):narrow(2, 3, 38)
    return math.acos(math.min(1, (a * b):sum():item() / (a:norm():item() * b:norm():item())))
  end

  it("is closed, of equal steps but where it turns, and keeps the noise", function()
    local z = walk.loop(latents(3, 1), 60)
    assert.are.same({ 60, 40 }, z.shape)
    local longest, shortest = 0, 9
    for i = 1, 60 do
      local step = angle(z, i, i % 60 + 1)
      longest, shortest = math.max(longest, step), math.min(shortest, step)
      assert.are.equal(z:narrow(1, 1, 1):narrow(2, 1, 2):tobytes(),
        z:narrow(1, i, 1):narrow(2, 1, 2):tobytes())
    end
    assert.is_true(longest < 1.001 * 3 * math.pi / 60 and longest > 0.05)
    assert.is_true(shortest > 0.7 * longest) -- a corner is cut by at most so much
  end)

  it("goes through its stops, on their sphere", function()
    local stops = latents(2, 2)
    local z = walk.line(stops[1], stops[2], 5)
    for i, row in ipairs { 1, 5 } do
      local apart = z:narrow(1, row, 1):narrow(2, 3, 38) - stops[i]:narrow(2, 3, 38)
      assert.is_true(apart:abs():max():item() < 1e-5)
    end
    for i = 2, 5 do
      assert.is_true(math.abs(angle(z, i - 1, i) - angle(z, 1, 5) / 4) < 1e-3)
      assert.is_true(z:narrow(1, i, 1):norm():item() > 4)
    end
    local same = walk.line(stops[1], stops[1], 3)
    assert.is_true(same:isfinite():all():item() == 1)
    assert.has_error(function() walk.loop({ stops[1] }, 5) end)
    assert.has_error(function() walk.loop(stops, 1) end)
  end)
end)

describe("a film", function()
  local folder
  before_each(function() folder = system.temporary_directory("daub-film") end)
  after_each(function() fixture.remove(folder) end)

  it("is PNGs and an animated WebP of them", function()
    local made = assert(film.write(folder .. "/a", 3, function(i)
      return tensor.full({ 10, 30, 3 }, i * 60):to("u8")
    end))
    assert.are.equal(3, #system.list_directory(made.frames))
    local frame = assert(image.load(made.frames .. "/frame-00002.png"))
    assert.are.equal(120, frame:select(1, 1):select(1, 1):select(1, 1):item())
    local _, info = image.decode(assert(system.read_file(made.webp)))
    assert.are.same({ "webp", 3, 30, 10 }, { info.format, info.frames, info.width, info.height })
    assert.truthy(made.mp4 or made.without:match("^no MP4"))
  end)

  it("stops when there are no more frames", function()
    local made, message = film.write(folder .. "/b", 3, function() end)
    assert.is_nil(made)
    assert.is_nil(message)
  end)
end)

describe("what is asked of paint", function()
  local function read(o)
    o.seed = 1
    return request.read(o)
  end

  it("must go together", function()
    for message, o in pairs {
      ["%-%-for and %-%-size exclude"] = { ["for"] = "x", size = { width = 3, height = 1 } },
      ["%-%-calm and %-%-wild exclude"] = { calm = true, wild = true },
      ["%-%-walk and %-%-grid exclude"] = { walk = 9, grid = { width = 2, height = 2 } },
      ["%-%-between and %-%-best%-of exclude"] = { between = "1,2", best_of = 9 },
      ["fewer than the 12 wanted"] = { best_of = 4 },
      ["fewer frames than the 5"] = { walk = 4, count = 5 },
      ["at least 2 expected"] = { walk = 4, count = 1 },
      ["%-%-between: two paintings"] = { between = "1" },
      ["%-%-palette: "] = { palette = "blue-ish" },
      ["%-%-grid: at most"] = { grid = { width = 1000, height = 1000 } },
    } do
      local ask, mistake = read(o)
      assert.is_nil(ask, message)
      assert.truthy(mistake:match(message), mistake)
    end
  end)

  it("has its counts and sizes", function()
    local ask = read {}
    assert.are.same({ "pictures", 12, 1500, "x", 1 },
      { ask.kind, ask.count, ask.size.width, ask.size.label, ask.scale })
    ask = read { grid = { width = 3, height = 2 } }
    assert.are.same({ 0, 6 }, { ask.count, ask.cells })
    ask = read { walk = 5, calm = true }
    assert.are.same({ "walk", 5, request.calm }, { ask.kind, ask.count, ask.scale })
    assert.is_nil(ask.size)
    assert.are.equal("-calm", ask.mark)
    ask = read { theme = "landscape", palette = "#1B2A49,f2a65a" }
    assert.are.equal("-landscape-1b2a49-f2a65a", ask.mark)
    assert.are.equal(8, read { walk = 100 }.count)
    assert.are.equal(9, read { between = "1,2" }.count)
  end)
end)
