local array = require "daub.core.array"
local collect = require "daub.collect.run"
local collection = require "daub.collect.collection"
local image = require "daub.core.image"
local nearest = require "daub.collect.nearest"
local sources = require "daub.collect.sources"
local sqlite = require "daub.core.sqlite"
local support = require "support.collecting"
local system = require "daub.core.system"

local patches = support.patches

local function png(seed, width, height) return image.encode_png(patches(seed, width, height)) end

-- A folder of pictures and other things; what is in it is told by the first test.
local function pictures()
  local folder = support.folder()
  support.write(folder .. "/a.png", png(1))
  support.write(folder .. "/b.jpg", image.encode_jpeg(patches(1), 90)) -- looks like a.png
  support.write(folder .. "/deep/er/c.png", png(1))                    -- the bytes of a.png
  support.write(folder .. "/deep/no-ending", png(2, 600, 200))
  support.write(folder .. "/deep/wrong.txt", image.encode_webp(patches(3), 90))
  support.write(folder .. "/small.png", png(4, 299, 100))
  support.write(folder .. "/flat.png", image.encode_png(array.full({ 100, 300, 3 }, 77, "u8")))
  support.write(folder .. "/README", "no picture")
  support.write(folder .. "/.hidden.png", png(5))
  support.write(folder .. "/.git/d.png", png(6))
  os.execute(("ln -s /etc/passwd '%s/link.png'; ln -s .. '%s/deep/loop'"):format(folder, folder))
  return folder
end

after_each(support.clean_up)
teardown(support.stop)

describe("collecting from a folder", function()
  it("takes pictures by content and gives a reason for everything else", function()
    local folder, path = pictures(), support.folder() .. "/c"
    local summary, counts = support.collect(path, "folder:" .. folder)
    assert.same({ people = 10, pictures = 3, skipped = { duplicate = 1, lookalike = 1, small = 1,
      blank = 1, unreadable = 1, link = 2 } }, counts)
    assert.equal(10, summary.listed)
    local covers = collection.open(path)
    local skips = {}
    for _, skip in ipairs(covers:skips()) do skips[skip.handle] = skip.detail or "" end
    assert.matches("not a picture", skips.README)
    assert.equal("299x100", skips["small.png"])
    local handles = {}
    for _, picture in ipairs(covers:pictures()) do
      assert.equal(system.sha256_file(picture.path), picture.sha256)
      for _, person in ipairs(covers:people(picture.sha256)) do
        handles[#handles + 1] = person.handle
      end
    end
    table.sort(handles)
    assert.same({ "a.png", "b.jpg", "deep/er/c.png", "deep/no-ending", "deep/wrong.txt" }, handles)
    covers:close()
  end)

  it("takes only what is new or changed the next time", function()
    local folder, path = pictures(), support.folder() .. "/c"
    support.collect(path, "folder:" .. folder)
    local before = support.contents(path)
    assert.equal(0, (support.collect(path, "folder:" .. folder)).kept)
    assert.equal(before, support.contents(path))
    support.write(folder .. "/new.png", png(7))
    support.write(folder .. "/deep/no-ending", png(8, 600, 200))
    local summary = support.collect(path, "folder:" .. folder)
    assert.equal(2, summary.kept)
  end)

  it("does not collect itself", function()
    local folder = pictures()
    local _, counts = support.collect(folder .. "/covers", "folder:" .. folder)
    assert.equal(3, counts.pictures)
    local summary = support.collect(folder .. "/covers", "folder:" .. folder)
    assert.equal(0, summary.kept)
    assert.equal(10, summary.listed)
  end)

  it("stops at the limit", function()
    local folder, path = pictures(), support.folder() .. "/c"
    local _, counts = support.collect(path, "folder:" .. folder, { limit = 4 })
    assert.equal(4, counts.people)
    support.collect(path, "folder:" .. folder)
    local whole = support.folder() .. "/c"
    support.collect(whole, "folder:" .. folder)
    assert.equal(support.contents(whole), support.contents(path))
  end)
end)

describe("collecting addresses from a file", function()
  it("passes comments over and counts bad lines", function()
    local network = support.network("mastodon")
    local folder = support.folder()
    support.write(folder .. "/list", table.concat({ "\239\187\191# pictures", "",
      network.url .. "/headers/0008.png", "  " .. network.url .. "/headers/0009.png\r",
      network.url .. "/headers/0008.png", "not an address", "ftp://one.test/a.png",
      network.url .. "/headers/0006.png" }, "\n"))
    local _, counts = support.collect(folder .. "/c", "urls:" .. folder .. "/list")
    assert.same({ people = 5, pictures = 2, skipped = { ["bad-address"] = 2, gone = 1 } }, counts)
    assert.equal(3, network:asked("/headers/"))
  end)

  it("tries again what could not be had", function()
    local network = support.network("mastodon")
    network:fault({ match = "0008", kind = "403", times = 99 })
    local folder = support.folder()
    support.write(folder .. "/list", network.url .. "/headers/0008.png\n")
    local _, counts = support.collect(folder .. "/c", "urls:" .. folder .. "/list")
    assert.same({ unreachable = 1 }, counts.skipped)
    support.network("mastodon") -- as if new: the fault is gone
    _, counts = support.collect(folder .. "/c", "urls:" .. folder .. "/list")
    assert.same({ people = 1, pictures = 1, skipped = {} }, counts)
  end)
end)

describe("a collection", function()
  it("is one program's at a time", function()
    local path = support.folder() .. "/c"
    local first = assert(collection.open(path, { create = true }))
    local second, message, code = collection.open(path, { create = true })
    assert.is_nil(second)
    assert.matches("another collect is at work", message)
    assert.equal("locked", code)
    assert(collection.open(path)):close() -- reading is fine
    first:close()
    assert(collection.open(path, { create = true })):close()
  end)

  it("says what is wrong with a folder that is none", function()
    local folder = support.folder()
    local _, message, code = collection.open(folder)
    assert.matches("no collection here", message)
    assert.equal("missing", code)
    local db = sqlite.open(folder .. "/collection.db")
    db:exec("create table theirs (a)")
    db:close()
    _, message = collection.open(folder, { create = true })
    assert.matches("another program", message)
    _, message = collection.open(folder)
    assert.matches("another program", message)
  end)

  it("refuses the format of a newer version", function()
    local path = support.folder() .. "/c"
    collection.open(path, { create = true }):close()
    local db = sqlite.open(path .. "/collection.db")
    db:exec("pragma user_version = 99")
    db:close()
    local _, message, code = collection.open(path, { create = true })
    assert.matches("newer daub %(format 99", message)
    assert.equal("format", code)
  end)

  it("brings an older format up to date, even when it only reads", function()
    local folder, path = pictures(), support.folder() .. "/c"
    support.collect(path, "folder:" .. folder)
    local schema = require "daub.collect.schema"
    local db = assert(sqlite.open(path .. "/old.db"))
    assert(db:exec(schema.versions[1]))
    assert(db:exec("attach '" .. path .. "/collection.db' as new"))
    for _, name in ipairs { "sources", "cursors", "pictures", "covers", "people", "source_people",
      "person_covers" } do
      local columns = {}
      for column in db:rows(("pragma main.table_info(%s)"):format(name)) do
        columns[#columns + 1] = column.name
      end
      columns = table.concat(columns, ", ")
      assert(db:exec(("insert into main.%s (%s) select %s from new.%s"):format(name, columns,
        columns, name)))
    end
    assert(db:exec(("pragma application_id = %d; pragma user_version = 1"):format(
      schema.application_id)))
    db:close()
    local before = support.contents(path)
    assert(system.rename(path .. "/old.db", path .. "/collection.db"))
    assert.equal(before, support.contents(path)) -- opened for reading
    local covers = assert(collection.open(path))
    assert.equal(covers:counts().people,
      covers.store:row("select count(*) as n from identities").n)
    covers:close()
  end)

  it("leaves out what was deleted by hand, fetches again what was damaged", function()
    local folder, path = pictures(), support.folder() .. "/c"
    support.collect(path, "folder:" .. folder)
    local covers = collection.open(path)
    local list = covers:pictures()
    os.remove(list[1].path)
    support.write(list[2].path, "damaged")
    assert.equal(2, #covers:pictures())
    covers:close()
    local summary, counts = support.collect(path, "folder:" .. folder)
    assert.equal(1, summary.removed)
    assert.equal(1, summary.damaged)
    assert.is_true(counts.skipped.removed >= 1)
    assert.equal(2, counts.pictures)
    covers = collection.open(path)
    for _, picture in ipairs(covers:pictures()) do
      assert.equal(picture.sha256, system.sha256_file(picture.path))
    end
    covers:close()
  end)

  it("fetches everything again when all files are gone", function()
    local folder, path = pictures(), support.folder() .. "/c"
    support.collect(path, "folder:" .. folder)
    local before = support.contents(path)
    os.execute(("rm -r '%s/pictures'"):format(path))
    local summary = support.collect(path, "folder:" .. folder)
    assert.equal(3, summary.damaged)
    assert.equal(before, support.contents(path))
  end)

  it("lists pictures in one order", function()
    local folder, path = pictures(), support.folder() .. "/c"
    support.collect(path, "folder:" .. folder)
    local covers = collection.open(path)
    local list = covers:pictures()
    for i = 2, #list do assert.is_true(list[i - 1].sha256 < list[i].sha256) end
    assert.equal(3, #covers:pictures({ order = "newest" }))
    assert.error_matches(function() covers:pictures({ order = "odd" }) end, "sha256 or newest")
    covers:close()
  end)
end)

describe("look-alikes", function()
  -- A hash that differs from another in the given bits.
  local function flip(hash, bits)
    local digits = {}
    for i = 1, 16 do digits[i] = tonumber(hash:sub(i, i), 16) end
    for _, bit_number in ipairs(bits) do
      local digit = math.floor(bit_number / 4) + 1
      digits[digit] = bit.bxor(digits[digit], 2 ^ (bit_number % 4))
    end
    local text = {}
    for i = 1, 16 do text[i] = ("%x"):format(digits[i]) end
    return table.concat(text)
  end

  it("are found up to six bits away wherever they are", function()
    local random = array.generator(7)
    local hashes_seen = nearest.new()
    local hashes = {}
    for i = 1, 300 do
      hashes[i] = image.phash(patches(i))
      hashes_seen:add(hashes[i], i)
    end
    for i = 1, 300 do
      local bits = array.totable(array.narrow(array.permutation(random, 64), 1, 1, 7))
      for j = 1, 7 do bits[j] = bits[j] - 1 end
      assert.equal(i, hashes_seen:find(flip(hashes[i], { unpack(bits, 1, 6) })))
      local found = hashes_seen:find(flip(hashes[i], bits))
      assert.is_true(found == nil or found ~= i)
    end
  end)
end)

describe("a source's name", function()
  local function refused(spec, expected, o, why)
    local source, message, code = sources.parse(spec, o)
    assert.is_nil(source)
    assert.matches(expected, message)
    assert.equal(why or "usage", code)
  end

  it("is checked before anything is asked", function()
    refused("alice", "not a source %(expected bluesky:HANDLE")
    refused("friendster:alice", "unknown network friendster")
    refused("bluesky:alice", "expected one like alice.bsky.social")
    refused("bluesky:alice.test/../x", "not a handle")
    refused("mastodon:alice", "expected USER@HOST")
    refused("mastodon:alice@host/x", "expected USER@HOST")
    refused("folder:/nowhere/at/all", "no such folder", nil, "missing")
    refused("urls:/nowhere/at/all", "no such file", nil, "missing")
    refused("folder:/tmp", "folder: has no server", { api = "http://one.test" })
    refused("bluesky:alice.test", "not an http or https address", { api = "ftp://one.test" })
  end)

  it("may begin with the home folder", function()
    local source = assert(sources.parse("folder:~"))
    assert.equal("folder:" .. system.realpath(os.getenv("HOME")), source.spec)
    refused("folder:~/nowhere-at-all", "no such folder", nil, "missing")
  end)

  it("may name another server", function()
    local source = assert(sources.parse("bluesky:@Alice.Test", { api = "http://localhost:2584/" }))
    assert.equal("bluesky:alice.test", source.spec)
    assert.equal("http://localhost:2584", source.api)
  end)
end)

describe("a dry run", function()
  it("names what would be fetched", function()
    local network = support.network("bluesky")
    local seen = {}
    local source = assert(sources.parse("bluesky:alice.test", { api = network.url }))
    local result = assert(collect.preview({ source }, { limit = 12, report = support.reporter(),
      visit = function(from, person) seen[#seen + 1] = from.network .. " " .. person.handle end }))
    assert.equal(12, result.listed)
    assert.equal(12, #seen)
    assert.equal("bluesky f0000.test", seen[1])
    assert.equal(0, network:asked("getBlob"))
  end)
end)
