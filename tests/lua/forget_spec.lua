-- daub forget: a person's pictures go for good, and nothing of anybody else's.
local collection = require "daub.collect.collection"
local daub = require "support.daub"
local forget = require "daub.collect.forget"
local support = require "support.collecting"
local system = require "daub.core.system"

after_each(support.clean_up)
teardown(support.stop)

local function exists(path) return system.stat(path) ~= nil end

-- Opens, calls f(collection), closes.
local function with(path, f)
  local covers = assert(collection.open(path, { create = true }))
  local result = { f(covers) }
  covers:close()
  return unpack(result)
end

local function files(path)
  local n = 0
  for _, folder in ipairs(system.list_directory(path .. "/pictures")) do
    n = n + #system.list_directory(path .. "/pictures/" .. folder)
  end
  return n
end

describe("forgetting a person", function()
  local network, path, o
  before_each(function()
    network = support.network("bluesky")
    network:set({ people = 30 })
    path = support.folder() .. "/c"
    o = { api = network.url }
    support.collect(path, "bluesky:alice.test", o)
  end)

  it("removes their pictures and keeps them out", function()
    local before = files(path)
    support.write(path .. "/cache/96x32-1234.pack", "pixels")
    support.write(path .. "/sheet.png", "sheet")
    local gone = assert(with(path, function(c) return forget.person(c, "@F0008.test") end))
    assert.same({ people = 1, pictures = 1, names = { "bluesky:f0008.test" } }, gone)
    assert.equal(before - 1, files(path))
    assert.is_false(exists(path .. "/cache/96x32-1234.pack") or exists(path .. "/sheet.png"))
    network:forget()
    local _, counts = support.collect(path, "bluesky:alice.test", o)
    assert.equal(29, counts.people)
    assert.equal(0, network:asked("f%d+8/")) -- neither the picture
    assert.equal(0, network:asked("actors=.*f" .. ("0"):rep(22) .. "8&")) -- nor the profile
    assert.equal(before - 1, files(path))
  end)

  it("leaves no trace of their names", function()
    with(path, function(c) return forget.person(c, "bluesky:f0008.test") end)
    local bytes = system.read_file(path .. "/collection.db")
    assert.is_nil(bytes:find("f0008.test", 1, true))
    assert.is_nil(bytes:find("did:plc:f" .. ("0"):rep(22) .. "8", 1, true))
    assert.is_truthy(bytes:find("f0009.test", 1, true))
  end)

  it("leaves a picture to those who show it, too", function()
    local before = files(path)
    local gone = with(path, function(c) return forget.person(c, "f0002.test") end)
    assert.equal(0, gone.pictures) -- 11 and 21 show the same bytes
    assert.equal(before, files(path))
    with(path, function(c) forget.person(c, "f0011.test") end)
    gone = with(path, function(c) return forget.person(c, "f0021.test") end)
    assert.equal(1, gone.pictures)
  end)

  it("keeps somebody out who was never there", function()
    local gone = with(path, function(c) return forget.person(c, "bluesky:f0035.test") end)
    assert.equal(0, gone.people)
    network:set({ people = 40 })
    local _, counts = support.collect(path, "bluesky:alice.test", o)
    assert.equal(39, counts.people)
  end)

  it("says when nobody has that name", function()
    local _, message, code = with(path, function(c) return forget.person(c, "nobody.test") end)
    assert.matches("^nobody.test: nobody of this name", message)
    assert.equal("missing", code)
  end)

  it("is a program", function()
    local r = daub.run({ "forget", path, "f0008.test" })
    assert.equal("bluesky:f0008.test: forgotten, 1 picture removed\n", r.out)
    assert.equal(0, r.code)
    r = daub.run({ "forget", path, "f0008.test" })
    assert.equal(1, r.code)
    assert.matches("^daub: f0008.test: nobody of this name", r.err)
  end)
end)

describe("forgetting one of two who look alike", function()
  it("fetches the other's own picture again", function()
    local image = require "daub.core.image"
    local folder, path = support.folder(), support.folder() .. "/c"
    local pixels = support.patches(5)
    support.write(folder .. "/a.png", image.encode_png(pixels))
    support.write(folder .. "/b.jpg", image.encode_jpeg(pixels, 90))
    support.collect(path, "folder:" .. folder)
    assert.equal(1, files(path))
    local gone = with(path, function(c) return forget.person(c, folder .. "/a.png") end)
    assert.equal(1, gone.pictures)
    assert.equal(0, files(path))
    local _, counts = support.collect(path, "folder:" .. folder)
    assert.same({ people = 1, pictures = 1, skipped = {} }, counts)
  end)
end)
