local collection = require "daub.collect.collection"
local support = require "support.collecting"

local usual = { people = 130, pictures = 99, skipped = { default = 26, ["no-cover"] = 1, blank = 1,
  small = 1, gone = 1, ["bad-address"] = 1 } }

after_each(support.clean_up)
teardown(support.stop)

describe("collecting from Mastodon", function()
  it("takes in followers with the server's default pictures left out", function()
    local network = support.network("mastodon")
    local summary, counts = support.collect(support.folder() .. "/c", "mastodon:alice@one.test",
      { api = network.url })
    assert.same({}, summary.failures)
    assert.same(usual, counts)
    assert.equal(1, network:asked("lookup"))
    assert.equal(2, network:asked("followers")) -- 80, 50: no next link on a page not full
    assert.equal(0, network:asked("missing.png"))
  end)

  it("understands GoToSocial, which names a next page even on the last", function()
    local network = support.network("mastodon", { "--dialect", "gotosocial" })
    local _, counts = support.collect(support.folder() .. "/c", "mastodon:@alice@one.test",
      { api = network.url })
    assert.same(usual, counts)
    assert.equal(3, network:asked("followers"))
    assert.equal(0, network:asked("default_header"))
  end)

  it("says how to log in where a server wants it", function()
    local network = support.network("mastodon", { "--dialect", "gotosocial" })
    network:set({ token = "secret" })
    local summary = support.collect(support.folder() .. "/c", "mastodon:alice@one.test",
      { api = network.url })
    assert.matches("with a login only %(run: daub login mastodon:alice@one.test%)",
      summary.failures[1])
  end)

  it("tells people of other servers apart", function()
    local network = support.network("mastodon")
    local path = support.folder() .. "/c"
    support.collect(path, "mastodon:alice@one.test", { api = network.url })
    local covers = collection.open(path)
    local keys = {}
    for row in covers.store:rows("select key from people where key like 'user000%' order by key") do
      keys[#keys + 1] = row.key
    end
    assert.equal("user0002@one.test", keys[3])
    assert.equal("user0003@elsewhere.test", keys[4])
    covers:close()
  end)

  it("asks again only for what changed when told to refresh", function()
    local network = support.network("mastodon")
    local path = support.folder() .. "/c"
    local o = { api = network.url }
    support.collect(path, "mastodon:alice@one.test", o)
    local before = support.contents(path)
    network:forget()
    support.collect(path, "mastodon:alice@one.test", o)
    assert.equal(0, network:asked("/headers/"))
    local summary, counts, report = support.collect(path, "mastodon:alice@one.test",
      { api = network.url, refresh = true })
    assert.equal(0, summary.kept)
    assert.equal(102, network:asked("/headers/"))
    assert.same(usual, counts)
    local unchanged = 0
    for _, event in ipairs(report.events) do
      if event.event == "unchanged" then unchanged = unchanged + 1 end
    end
    assert.equal(101, unchanged) -- all but the one that is gone
    assert.equal(before, support.contents(path))
  end)

  it("names a hidden list", function()
    local network = support.network("mastodon")
    network:set({ hidden = true })
    local summary = support.collect(support.folder() .. "/c", "mastodon:alice@one.test",
      { api = network.url })
    assert.matches("hides the list %(130 followers, none shown%)", summary.failures[1])
  end)

  it("notices a list that goes in circles", function()
    local network = support.network("mastodon", { "--dialect", "gotosocial" })
    network:set({ repeat_cursor = true, people = 200 })
    local summary = support.collect(support.folder() .. "/c", "mastodon:alice@one.test",
      { api = network.url })
    assert.matches("same page again", summary.failures[1])
  end)

  it("waits for an ISO 8601 reset", function()
    local network = support.network("mastodon")
    network:fault({ match = "followers", kind = "429-iso" })
    local summary, counts = support.collect(support.folder() .. "/c", "mastodon:alice@one.test",
      { api = network.url })
    assert.same({}, summary.failures)
    assert.same(usual, counts)
  end)

  it("leaves strangers' addresses in the local network alone", function()
    -- without --api the server is somebody else's, and so are the addresses it names
    local base = require "daub.collect.sources.base"
    local intake = require "daub.collect.intake"
    local path = support.folder() .. "/c"
    local covers = assert(collection.open(path, { create = true }))
    local network = support.network("mastodon")
    local i = intake.new(covers)
    i:commit_page(i:source("mastodon:a@b.test", ""), "followers", "mastodon", { people = {
      { key = "x", handle = "x", cover = base.cover(network.url .. "/headers/0008.png") } } })
    covers:close()
    local empty = support.folder()
    local _, counts = support.collect(path, "folder:" .. empty)
    assert.same({ ["bad-address"] = 1 }, counts.skipped)
    assert.equal(0, network:asked("/headers/"))
  end)
end)
