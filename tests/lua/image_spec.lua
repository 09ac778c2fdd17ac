-- daub.image and daub.core.image: pictures from bytes to pixels and back.
-- DAUB_TEST_ORIGINALS names a folder of pictures with an INDEX.tsv (file, …, width, height, kind,
-- expect) to decode as well.
local core = require "daub.core.image"
local image = require "daub.image"
local system = require "daub.core.system"
local tensor = require "daub.tensor"

local W, H = 24, 16

-- u8 {H, W, 3}: red grows to the right, green downwards, blue is even.
local function picture()
  local values = {}
  for y = 0, H - 1 do
    for x = 0, W - 1 do
      values[#values + 1] = x * 10
      values[#values + 1] = y * 15
      values[#values + 1] = 60
    end
  end
  return tensor.wrap(require("daub.core.array").from(values, { H, W, 3 }, "u8"))
end

local function pixel(x, row, column)
  return x:select(1, row):select(1, column):totable()
end

local function equal_bytes(a, b) return a.array:tostring() == b.array:tostring() end

local function raises(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, tostring(message))
end

describe("decoding", function()
  it("gives pixels and what the file says", function()
    local x, info = image.decode(image.encode(picture(), "png"))
    assert.same({ H, W, 3 }, x.shape)
    assert.equal("u8", x.dtype)
    assert.is_true(equal_bytes(picture(), x))
    assert.same({ format = "png", width = W, height = H, channels = 3, frames = 1,
      orientation = 1 }, info)
  end)

  it("says in one line why bytes are refused", function()
    for bytes, reason in pairs {
      [""] = "empty file",
      ["<!DOCTYPE html>"] = "not a picture: starts with '<!DOCTYPE html>'",
      ["\0\0\0\28ftypavif\0\0\0\0"] = "AVIF is not supported",
      [image.encode(picture(), "png"):sub(1, -20)] = "truncated PNG",
      [image.encode(picture(), "webp"):sub(1, -20)] = "truncated WebP",
    } do
      local x, message, code = image.decode(bytes)
      assert.is_nil(x)
      assert.equal(reason, message)
      assert.equal("decode", code)
    end
  end)

  it("keeps to the limits it is given", function()
    local bytes = image.encode(picture(), "png")
    local _, message = image.decode(bytes, { max_pixels = 100 })
    assert.equal("picture of 24x16 is over the limit of 0.0001 megapixels", message)
    _, message = image.decode(bytes, { max_bytes = 20 })
    assert.matches("over the limit of 20$", message)
    assert.is_truthy(image.decode(bytes))
    raises("unknown option 'max_pixel'", image.decode, bytes, { max_pixel = 1 })
    raises("limits must be positive", image.decode, bytes, { timeout = -1 })
  end)

  it("reads the header alone", function()
    local bytes = image.encode(picture(), "jpeg")
    assert.same({ "jpeg", W, H }, { image.probe(bytes) })
    assert.same({ "png", W, H }, { image.probe(image.encode(picture(), "png"):sub(1, 40)) })
    local format, message = image.probe("GIF89a")
    assert.is_nil(format)
    assert.matches("truncated GIF", message)
  end)

  it("hands many pictures to several children and keeps ids apart", function()
    local d = core.decoder { workers = 2 }
    local bytes = image.encode(picture(), "jpeg", { quality = 80 })
    local key = {}
    for i = 1, 20 do d:submit(i, bytes) end
    d:submit(key, "rubbish that is no picture")
    d:submit("missing", { path = "/nowhere/x.png" })
    assert.equal(22, d:pending())
    local seen = {}
    while d:pending() > 0 do
      local results = assert(d:poll(20))
      assert.is_true(#results > 0)
      for _, r in ipairs(results) do
        assert.is_nil(seen[r.id])
        seen[r.id] = r
      end
    end
    for i = 1, 20 do assert.same({ H, W, 3 }, seen[i].pixels:shape()) end
    assert.equal("decode", seen[key].code)
    assert.equal("io", seen.missing.code)
    assert.matches("/nowhere/x.png", seen.missing.error)
    assert.same({}, d:poll(0))
    d:close()
    raises("it is closed", d.pending, d)
    raises("unknown option 'worker'", core.decoder, { worker = 2 })
    raises("bytes or {path = …} expected", core.decoder().submit, core.decoder(), 1, {})
  end)

  it("can measure pictures and keep their pixels", function()
    local d = core.decoder { looks = true }
    local pixels = core.resize(picture().array, 90, 30)
    local small = core.resize(pixels, 45, 15, { filter = "box" })
    d:submit("whole", core.encode_png(pixels))
    d:submit("small", core.encode_png(small))
    d:submit("none", "rubbish that is no picture")
    local seen = {}
    while d:pending() > 0 do
      for _, r in ipairs(assert(d:poll(20))) do seen[r.id] = r end
    end
    d:close()
    for id, expected in pairs { whole = pixels, small = small } do
      assert.is_nil(seen[id].pixels)
      assert.equal(core.phash(expected), seen[id].phash)
      assert.same(core.statistics(expected), seen[id].statistics)
    end
    assert.equal(90, seen.whole.info.width)
    assert.equal("decode", seen.none.code)
  end)

  it("says how children are confined", function()
    assert.is_true(core.sandbox() == "seccomp" or core.sandbox() == "limits")
  end)
end)

describe("files", function()
  local folder
  setup(function() folder = assert(system.temporary_directory("daub-image-")) end)
  teardown(function()
    for _, name in ipairs(system.list_directory(folder)) do system.remove(folder .. "/" .. name) end
    system.remove(folder)
  end)

  it("are saved by their extension and loaded by their content", function()
    for name, format in pairs { ["a.png"] = "png", ["a.JPG"] = "jpeg", ["a.webp"] = "webp" } do
      local path = folder .. "/" .. name
      assert(image.save(path, picture()))
      assert.equal(format, (image.probe(assert(system.read_file(path)))))
      assert(image.save(path, image.load(path)))
      assert.same({ H, W, 3 }, image.load(path).shape)
    end
    raises("expected a name ending in .png", image.save, folder .. "/a.bmp", picture())
    local x, message, code = image.load(folder .. "/none.png")
    assert.is_nil(x)
    assert.matches("none.png", message)
    assert.equal("io", code)
    assert(system.write_file(folder .. "/b.png", "hello there"))
    x, message, code = image.load(folder .. "/b.png")
    assert.is_nil(x)
    assert.equal(folder .. "/b.png: not a picture: starts with 'hello there'", message)
    assert.equal("decode", code)
    x, message = image.load(folder)
    assert.is_nil(x)
    assert.matches("not a regular file", message)
    x, message = image.save(folder .. "/no/such/place.png", picture())
    assert.is_nil(x)
    assert.is_string(message)
  end)

  it("of JPEG and WebP obey the quality", function()
    assert.is_true(#image.encode(picture(), "jpeg", { quality = 20 })
      < #image.encode(picture(), "jpeg", { quality = 95 }))
    raises("quality of 1 to 100 expected", image.encode, picture(), "jpeg", { quality = 0 })
    raises("unknown option quallity.*quality", image.encode, picture(), "jpeg", { quallity = 1 })
    raises("format is gif", image.encode, picture(), "gif")
    raises("expected pixels, got number", image.encode, 3, "png")
  end)
end)

describe("pixels", function()
  it("turn into -1 … 1 and back without loss", function()
    local f = image.to_float(picture())
    assert.equal("f32", f.dtype)
    assert.is_true(f:min():item() >= -1 and f:max():item() <= 1)
    assert.is_true(equal_bytes(picture(), image.from_float(f)))
    assert.same({ 0, 128, 255, 255 },
      image.from_float(tensor.from { -3, 0, 1, 9 }):totable())
    raises("expected u8 pixels, got f32", image.to_float, f)
  end)

  it("are resized by every filter, u8 and f32", function()
    for _, filter in ipairs { "box", "triangle", "mitchell", "catmullrom", "lanczos3" } do
      local x = image.resize(picture(), 60, 40, { filter = filter })
      assert.same({ 40, 60, 3 }, x.shape)
      local middle = pixel(x, 20, 30)
      assert.is_true(math.abs(middle[1] - 113) < 6 and math.abs(middle[3] - 60) <= 1)
      local f = image.resize(image.to_float(picture()), 60, 40, { filter = filter })
      local back = pixel(image.from_float(f), 20, 30)
      assert.is_true(math.abs(back[1] - middle[1]) <= 1 and math.abs(back[2] - middle[2]) <= 1)
    end
    raises("filter 'box'.* expected", image.resize, picture(), 5, 5, { filter = "best" })
    raises("unknown option 'filtre'", image.resize, picture(), 5, 5, { filtre = "box" })
    raises("1 to 65535 expected", image.resize, picture(), 0, 5)
    raises("linear is for u8", image.resize, image.to_float(picture()), 5, 5, { linear = true })
  end)

  it("are cut to fill a shape", function()
    local x = picture()
    assert.same({ 16, 16, 3 }, image.cover(x, 16, 16).shape)
    -- 24x16 to a square of 16: x moves by 4 to each side, 40 in red.
    assert.same({ 40, 0, 60 }, pixel(image.cover(x, 16, 16, { filter = "lanczos3" }), 1, 1))
    local left = image.cover(x, 16, 16, { filter = "lanczos3", gravity = "left" })
    assert.same({ 0, 0, 60 }, pixel(left, 1, 1))
    local right = image.cover(x, 16, 16, { filter = "lanczos3", gravity = { 1, 0.5 } })
    assert.same({ 80, 0, 60 }, pixel(right, 1, 1))
    local bottom = image.cover(x, 24, 8, { filter = "lanczos3", gravity = "bottom" })
    assert.same({ 0, 120, 60 }, pixel(bottom, 1, 1))
    assert.same({ 1, 300, 3 }, image.cover(x, 300, 1).shape)
    raises("gravity is middle", image.cover, x, 5, 5, { gravity = "middle" })
    raises("expected gravity {x, y}", image.cover, x, 5, 5, { gravity = { 2, 0 } })
    raises("at least 1", image.cover, x, 0, 5)
  end)

  it("are laid out in a grid", function()
    local x = picture()
    local g = image.grid({ x, x, image.to_float(x) }, { columns = 2, gap = 3 })
    assert.same({ 2 * H + 9, 2 * W + 9, 3 }, g.shape)
    assert.same({ 255, 255, 255 }, pixel(g, 1, 1))
    assert.same(pixel(x, 1, 1), pixel(g, 4, 4))
    assert.same(pixel(x, H, W), pixel(g, 3 + H, 6 + 2 * W))
    assert.same(pixel(x, 5, 5), pixel(g, 6 + H + 5, 3 + 5))
    assert.same({ 255, 255, 255 }, pixel(g, 6 + H + 5, 6 + W + 5))
    local batch = tensor.rand { 5, 8, 6, 3 }
    assert.same({ 22, 26, 3 }, image.grid(batch, { background = { 0, 0, 0 } }).shape)
    assert.same({ 0, 0, 0 }, pixel(image.grid(batch, { background = { 0, 0, 0 } }), 1, 1))
    raises("expected at least one picture", image.grid, {})
    raises("unknown option column %(did you mean columns", image.grid, batch, { column = 3 })
  end)

  it("are shown as text", function()
    local text = image.text(picture(), { columns = 12, rows = 6 })
    assert.is_true(#text > 12)
    raises("columns and rows expected", image.text, picture(), { columns = 0 })
  end)

  it("have hashes that stay and differ", function()
    local noise = image.from_float(tensor.rand { 40, 40, 3 } * 2 - 1)
    local hash = image.phash(noise)
    assert.matches("^%x+$", hash)
    assert.equal(16, #hash)
    assert.equal(0, image.phash_distance(hash, hash))
    local larger = image.phash(image.resize(noise, 90, 70))
    assert.is_true(image.phash_distance(hash, larger) <= 6)
    assert.is_true(image.phash_distance(hash,
      image.phash(image.from_float(tensor.rand { 40, 40, 3 } * 2 - 1))) > 12)
    assert.equal(64, image.phash_distance("0000000000000000", "ffffffffffffffff"))
    raises("16 hex digits", image.phash_distance, "12", hash)
  end)

  it("have statistics that tell blank ones", function()
    local s = image.statistics(picture())
    assert.is_true(s.stddev > 30 and s.flat < 0.1)
    assert.is_true(math.abs(s.mean[1] - 115) < 0.01 and s.mean[3] == 60)
    local blank = image.statistics(image.resize(picture():narrow(1, 1, 1):narrow(2, 1, 1), 9, 9))
    assert.is_true(blank.stddev < 0.01 and blank.flat == 1)
  end)

  it("of the wrong kind are refused by name", function()
    raises("u8 or f32 expected, got f64", image.phash, tensor.zeros({ 4, 4, 3 }, { dtype = "f64" }))
    raises("got 1 dimensions", image.phash, tensor.zeros { 4 })
    raises("1 to 4 channels expected, got 5", image.resize, tensor.zeros { 4, 4, 5 }, 2, 2)
    raises("side by side", image.phash, picture():transpose(1, 2))
    local row = picture():narrow(1, 1, 1)
    raises("rows must not share memory", image.resize, row:expand { 9, row.shape[2], 3 }, 4, 4)
  end)
end)

describe("the pictures of DAUB_TEST_ORIGINALS", function()
  local folder = os.getenv("DAUB_TEST_ORIGINALS")

  local function index()
    local rows = {}
    for line in io.lines(folder .. "/INDEX.tsv") do
      local f = {}
      for cell in (line .. "\t"):gmatch("([^\t]*)\t") do f[#f + 1] = cell end
      if f[1] ~= "file" then
        rows[f[1]] = { width = tonumber(f[5]), height = tonumber(f[6]), expect = f[8] }
      end
    end
    return rows
  end

  -- nil when the result is as expected, otherwise what is wrong.
  local function judge(row, result)
    if result.error then
      if result.error:match("^the decoder") then return result.error end
      return not row.expect:match("reject") and result.error or nil
    end
    if not row.expect:match("ok") then return "accepted" end
    local shape = result.pixels:shape()
    local w, h = row.width, row.height
    if result.info.orientation >= 5 then w, h = h, w end
    if w ~= 0 and (shape[2] ~= w or shape[1] ~= h) then
      return ("%dx%d instead of %dx%d"):format(shape[2], shape[1], w, h)
    end
  end

  it("decode to their size or are refused with a reason", function()
    if not folder then return pending("DAUB_TEST_ORIGINALS is not set") end
    local rows, wrong, count = index(), {}, 0
    local d = core.decoder { workers = 2 }
    for name in pairs(rows) do
      d:submit(name, { path = folder .. "/" .. name })
      count = count + 1
    end
    while d:pending() > 0 do
      for _, r in ipairs(assert(d:poll(60))) do
        local problem = judge(rows[r.id], r)
        if problem then wrong[#wrong + 1] = r.id .. ": " .. problem end
      end
    end
    d:close()
    assert.same({}, wrong)
    assert.is_true(count > 0)
  end)

  it("show the same picture whatever their EXIF orientation", function()
    if not folder then return pending("DAUB_TEST_ORIGINALS is not set") end
    local upright = image.phash((assert(image.load(folder .. "/jpg_base_01.jpg"))))
    for _, n in ipairs { 2, 3, 5, 6, 8 } do
      local x = assert(image.load(("%s/derived_exif%d.jpg"):format(folder, n)))
      assert.is_true(image.phash_distance(upright, image.phash(x)) <= 2)
    end
  end)
end)
