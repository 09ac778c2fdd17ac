-- Data exports: what is in them, and what hostile ones come to.
local collection = require "daub.collect.collection"
local daub = require "support.daub"
local mastodon = require "daub.collect.exports.mastodon"
local sources = require "daub.collect.sources"
local support = require "support.collecting"
local system = require "daub.core.system"
local zip = require "daub.collect.zip"

local exports
setup(function()
  exports = assert(system.temporary_directory("daub-exports"))
  local script = daub.tests .. "/fixtures/archives.py"
  local process = assert(system.spawn({ "/usr/bin/python3", script, exports }))
  assert.equal(0, process:wait(60))
  process:close()
end)
teardown(function()
  daub.remove_tree(exports)
  support.stop()
end)
after_each(support.clean_up)

local function collect(name, path)
  path = path or support.folder() .. "/c"
  local summary, counts = support.collect(path, "archive:" .. exports .. "/" .. name)
  return counts, summary, path
end

local function people(path)
  local covers, list = assert(collection.open(path)), {}
  for row in covers.store:rows("select handle, name, key from people order by id") do
    list[#list + 1] = row
  end
  covers:close()
  return list
end

describe("an X archive", function()
  for _, name in ipairs { "x.zip", "x", "big.zip" } do
    it("gives the owner's pictures and counts who is named in it: " .. name, function()
      local counts, summary, path = collect(name)
      assert.same({}, summary.failures)
      -- the header and three posted; seven different accounts; nothing of direct messages
      assert.same({ people = 11, pictures = 4, skipped = { ["no-cover"] = 7 } }, counts)
      local list = people(path)
      assert.equal("data/profile_media/7-1600000000.jpg", list[1].handle)
      assert.equal("@alice", list[1].name)
      assert.equal("x:1000000000000000006", list[11].key) -- beyond 2^53
      local before = support.contents(path)
      assert.same(counts, (collect(name, path)))
      assert.equal(before, support.contents(path))
    end)
  end
end)

describe("a Facebook archive", function()
  it("gives the owner's pictures and counts friends", function()
    local counts, _, path = collect("facebook.zip")
    assert.same({ people = 6, pictures = 3, skipped = { ["no-cover"] = 3 } }, counts)
    assert.equal("Renée", people(path)[4].handle) -- each byte was written as a character
    assert.equal("Bob (2)", people(path)[6].handle) -- of two friends of that name
    counts = collect("facebook-html.zip")
    assert.same({ people = 3, pictures = 3, skipped = {} }, counts)
  end)
end)

describe("a hostile archive", function()
  local function refused(name)
    local source, message, code = sources.parse("archive:" .. exports .. "/" .. name)
    assert.is_nil(source)
    return message, code
  end

  it("cannot climb out, be a link or write to the terminal", function()
    local counts, _, path = collect("climbing.zip")
    assert.same({ people = 1, pictures = 1, skipped = {} }, counts)
    assert.equal("data/tweets_media/fine.png", people(path)[1].handle)
    assert.is_nil((system.stat("/tmp/climbed.png")))
  end)

  it("cannot fill the memory", function()
    local counts = collect("bomb.zip")
    assert.same({ people = 1, pictures = 0, skipped = { ["too-big"] = 1 } }, counts)
    assert.matches("follower.js: 65.0 MiB, over the limit of 64.0 MiB", (refused("huge.zip")))
    assert.matches("friends.json: 15.0 MiB, over the limit of 4.0 MiB", (refused("many.zip")))
    assert.matches("friends.json: not JSON", (refused("deep-json.zip")))
    assert.matches("follower.js: not what X writes", (refused("deep.zip")))
    counts = collect("lying.zip")
    assert.same({ unreadable = 1, ["no-cover"] = 7 }, counts.skipped)
    assert.matches("its files overlap", (refused("overlap.zip")))
  end)

  it("that is damaged gives what is whole", function()
    assert.same({ unreadable = 1, ["no-cover"] = 7 }, (collect("crc.zip")).skipped)
    assert.equal(3, (collect("locked.zip")).pictures)
    local message, code = refused("cut.zip")
    assert.matches("not a whole zip file %(it has no directory%)", message)
    assert.equal("format", code)
  end)

  it("of any bytes is read or refused, and that is all", function()
    local whole = assert(system.read_file(exports .. "/x.zip"))
    local path = support.folder() .. "/damaged.zip"
    local read, directory = 0, whole:find("PK\1\2", 1, true)
    for i = 0, 199 do
      local at = directory + i * 7 % (#whole - directory)
      support.write(path, whole:sub(1, at - 1) .. string.char((i * 37 + 11) % 256)
        .. whole:sub(at + 1))
      local archive, message = zip.open(path)
      assert.is_true(archive ~= nil or type(message) == "string")
      for _, member in ipairs(archive and archive.members or {}) do
        local bytes, why = archive:read(member, 2 ^ 20)
        assert.is_true(bytes ~= nil or type(why) == "string")
        if bytes then read = read + 1 end
      end
      if archive then archive:close() end
    end
    assert.is_true(read > 200)
  end)

  it("is told from what is no export at all", function()
    local folder = support.folder()
    support.write(folder .. "/holiday/1.png", "x")
    local _, message, code = sources.parse("archive:" .. folder)
    assert.matches("not an export daub knows %(an X archive or a Facebook archive", message)
    assert.equal("format", code)
    _, message = sources.parse("archive:" .. folder .. "/none.zip")
    assert.matches("no such file or folder", message)
    _, message, code = sources.parse("archive:" .. exports .. "/x.zip", { api = "http://a.test" })
    assert.matches("has no server", message)
    assert.equal("usage", code)
  end)
end)

describe("Mastodon's CSV of followers", function()
  local root = mastodon.root
  after_each(function() mastodon.root = root end)

  local function csv(lines)
    local path = support.folder() .. "/followers.csv"
    support.write(path, "Account address,Show boosts,Notify on new posts,Languages\r\n"
      .. table.concat(lines, "\r\n") .. "\r\n")
    return "archive:" .. path
  end

  -- Every host is a folder of the fixture.
  local function here()
    local network = support.network("handles")
    function mastodon.root(host) return network.url .. "/" .. host, true end
    return network
  end

  it("has each account looked up at its own server, several at a time", function()
    local network = here()
    local lines = {}
    for i = 1, 20 do
      lines[i] = ("u%04d@%s,true,false,"):format(i, i % 2 == 0 and "one.test" or "two.test")
    end
    lines[21] = '"@u0021@moved.test",true'
    lines[22], lines[23] = "u0022@gone.test", "u0023@members.test"
    lines[24] = "u0001@TWO.test"
    network:fault({ match = "lookup", kind = "slow", times = 2 })
    local spec, path = csv(lines), support.folder() .. "/c"
    local summary, counts = support.collect(path, spec)
    assert.same({}, summary.failures)
    -- 10 and 20 show the default; 7, 14 and 21 ask not to be indexed; one is not there; one server
    -- tells members only
    assert.same({ people = 23, pictures = 16, skipped = { default = 2, noindex = 3,
      ["no-cover"] = 1, unreachable = 1 } }, counts)
    assert.is_true(network:most_at_once() > 1)
    local before = support.contents(path)
    network:forget()
    summary, counts = support.collect(path, spec)
    assert.equal(16, counts.pictures)
    assert.equal(0, summary.kept)
    -- and the search for u0021; the slow answers came without an ETag
    assert.equal(20 + 2 - 2, network:unchanged())
    assert.equal(before, support.contents(path))
  end)

  it("is not asked at the addresses of this machine and of local networks", function()
    local network = support.network("handles")
    function mastodon.root(host) return network.url .. "/" .. host, false end
    local _, counts = support.collect(support.folder() .. "/c", csv { "u0001@one.test" })
    assert.same({ unreachable = 1 }, counts.skipped)
    assert.equal(0, network:asked("lookup"))
  end)

  it("counts who is known from elsewhere once", function()
    here()
    local path = support.folder() .. "/c"
    support.collect(path, csv { "user0008@one.test", "u0002@one.test" })
    local network = support.network("mastodon")
    local _, counts = support.collect(path, "mastodon:alice@one.test", { api = network.url })
    assert.equal(131, counts.people) -- 130 and u0002
  end)

  it("is refused when it is none", function()
    local path = support.folder() .. "/list.csv"
    support.write(path, "name,age\nalice,3\nbob,4\n")
    local _, message, code = sources.parse("archive:" .. path)
    assert.matches("not a list of accounts", message)
    assert.equal("format", code)
  end)
end)
