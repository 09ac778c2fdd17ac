-- What every network gets: relations, conditional lists, people who ask to be left alone, rate
-- limits of every dialect, faults that have nothing to do with one network.
local collect = require "daub.collect.run"
local collection = require "daub.collect.collection"
local sources = require "daub.collect.sources"
local support = require "support.collecting"
local system = require "daub.core.system"

after_each(support.clean_up)
teardown(support.stop)

local function spec_of(...)
  local source, message, code = sources.parse(...)
  return source and source.spec or message, source or code
end

-- Collects from made-up pages: {{people…}, {people…}} a listing.
local function collect_pages(path, network, pages, o)
  local source = { network = network, spec = network .. ":test", api = "", noun = "people",
    listings = { "followers" } }
  function source.page(_, _, position)
    local n = tonumber(position or 1)
    return { people = pages[n], next = pages[n + 1] and tostring(n + 1) }
  end
  local covers = assert(collection.open(path, { create = true }))
  local summary = assert(collect.run(covers, { source }, { report = support.reporter(),
    include_noindex = o and o.include_noindex }))
  local counts = assert(covers:counts())
  covers:close()
  return counts, summary
end

describe("a source's relation", function()
  it("stands behind the handle or in --who", function()
    local _, source = spec_of("bluesky:alice.test")
    assert.same({ "followers" }, source.listings)
    _, source = spec_of("bluesky:alice.test?both", { who = "following" })
    assert.same({ "followers", "following" }, source.listings)
    local spec
    spec, source = spec_of("mastodon:a@b.test?friends")
    assert.equal("mastodon:a@b.test?mutuals", spec)
    assert.is_true(source.mutual)
    assert.matches("unknown relation enemies", (spec_of("bluesky:alice.test?enemies")))
    local module = require "daub.collect.sources.bluesky"
    local relations = module.relations
    module.relations = { "followers", "following" }
    assert.matches("bluesky does not show lists", (spec_of("bluesky:alice.test?list=Friends")))
    module.relations = relations
    assert.equal("bluesky:alice.test?list=Friends", (spec_of("bluesky:alice.test?list=Friends")))
    assert.matches("has no server", (spec_of("folder:/tmp", { api = "http://a.test" })))
  end)

  it("of mutuals takes in who is in both lists", function()
    local network = support.network("bluesky")
    local path = support.folder() .. "/c"
    local summary, counts = support.collect(path, "bluesky:alice.test?mutuals",
      { api = network.url })
    assert.same({}, summary.failures)
    assert.equal(20, counts.people) -- of 130 followers and 40 others
    assert.equal(1, network:asked("getProfiles")) -- only of those 20
    local _, again = support.collect(path, "bluesky:alice.test?mutuals", { api = network.url })
    assert.same(counts, again)
  end)
end)

describe("a second run", function()
  for _, name in ipairs { "bluesky", "mastodon" } do
    it("makes only conditional requests and changes nothing on " .. name, function()
      local network = support.network(name)
      local path = support.folder() .. "/c"
      local spec = name == "bluesky" and "bluesky:alice.test" or "mastodon:alice@one.test"
      local _, counts = support.collect(path, spec, { api = network.url })
      local before, asked = support.contents(path), network:counts()
      network:forget()
      local summary, again = support.collect(path, spec, { api = network.url })
      assert.equal(counts.people, summary.listed)
      assert.same(counts, again)
      assert.equal(before, support.contents(path))
      assert.equal(0, network:asked("getBlob") + network:asked("/headers/"))
      -- the same requests for the lists once more, each with what the first answer named
      local after = network:counts()
      for endpoint, n in pairs(asked) do
        local pictures = endpoint:find("getBlob", 1, true) or endpoint:find("/img/", 1, true)
          or endpoint:find("/headers/", 1, true) or endpoint:find("/static/", 1, true)
        assert.equal(pictures and n or 2 * n, after[endpoint], endpoint)
      end
      assert.equal(network:asked("."), network:unchanged())
    end)
  end

  it("remembers no more than the last one needed", function()
    local network = support.network("bluesky")
    local path = support.folder() .. "/c"
    local function remembered()
      local covers = assert(collection.open(path))
      local n = covers.store:row("select count(*) as n from answers").n
      covers:close()
      return n
    end
    support.collect(path, "bluesky:alice.test", { api = network.url })
    assert.equal(3 + 6, remembered()) -- lists and profiles
    network:set({ people = 30 })
    support.collect(path, "bluesky:alice.test", { api = network.url })
    assert.equal(2 + 2, remembered())
  end)

  it("notices what changed within an unchanged list", function()
    local network = support.network("bluesky")
    local path = support.folder() .. "/c"
    support.collect(path, "bluesky:alice.test", { api = network.url })
    network:set({ changed = { 8 } })
    local summary = support.collect(path, "bluesky:alice.test", { api = network.url })
    assert.equal(1, summary.kept)
  end)
end)

describe("people who ask not to be found", function()
  it("are left out and counted, unless told otherwise", function()
    local network = support.network("mastodon")
    network:set({ noindex = { 8, 9 } })
    local path = support.folder() .. "/c"
    local _, counts = support.collect(path, "mastodon:alice@one.test", { api = network.url })
    assert.equal(2, counts.skipped.noindex)
    assert.equal(97, counts.pictures)
    assert.equal(0, network:asked("/headers/0008"))
    _, counts = support.collect(path, "mastodon:alice@one.test",
      { api = network.url, include_noindex = true })
    assert.is_nil(counts.skipped.noindex)
    assert.equal(99, counts.pictures)
  end)
end)

describe("somebody with several names", function()
  it("counts once", function()
    local path = support.folder() .. "/c"
    local alice = { key = "did:plc:a", handle = "alice.test", also = { "acct:alice@b.test" } }
    local bob = { key = "did:plc:b", handle = "bob.test" }
    assert.equal(2, collect_pages(path, "bluesky", { { alice, bob } }).people)
    local there = { key = "alice@b.test", handle = "alice@b.test",
      also = { "acct:alice@b.test" } }
    local carol = { key = "carol@b.test", handle = "carol@b.test",
      also = { "acct:carol@b.test" } }
    assert.equal(3, collect_pages(path, "mastodon", { { there, carol } }).people)
    -- who ties two together that were known apart
    local tie = { key = "9", handle = "carol", also = { "acct:carol@b.test", "bluesky:did:plc:b" } }
    assert.equal(2, collect_pages(path, "misskey", { { tie } }).people)
  end)
end)

describe("a picture with other addresses", function()
  it("is fetched from the next when one fails or brings other bytes", function()
    local network = support.network("mastodon")
    local good = network.url .. "/headers/0008.png"
    local function person(n, cover)
      cover.key, cover.private = "k" .. n, true
      return { key = "p" .. n, handle = "p" .. n, cover = cover }
    end
    local counts = collect_pages(support.folder() .. "/c", "bluesky", { {
      person(1, { url = network.url .. "/headers/0006.png", fallback = { good } }),
      person(2, { url = network.url .. "/headers/0009.png", sha256 = ("0"):rep(64),
        fallback = { network.url .. "/nowhere", network.url .. "/headers/0013.png" } }),
      person(3, { url = network.url .. "/headers/0014.png", sha256 = ("0"):rep(64) }),
    } })
    assert.equal(2, counts.pictures)
    assert.equal(1, counts.skipped.unreachable)
    assert.equal(0, network:asked("nowhere.+nowhere"))
    assert.equal(1, network:asked("0013"))
  end)
end)

describe("every rate limit", function()
  for _, kind in ipairs { "429-date", "429-x", "429-misskey" } do
    it("is waited for: " .. kind, function()
      local network = support.network("bluesky")
      network:set({ people = 5 })
      network:fault({ match = "getFollowers", kind = kind })
      local summary, counts = support.collect(support.folder() .. "/c", "bluesky:alice.test",
        { api = network.url })
      assert.same({}, summary.failures)
      assert.equal(5, counts.people)
    end)
  end

  it("ends the source when told to stop, naming the time", function()
    local network = support.network("bluesky")
    for _, kind in ipairs { "429", "429-iso", "429-misskey", "403-quota", "403-usage" } do
      network:fault({ match = "getFollowers", kind = kind, seconds = 700 })
      local summary = support.collect(support.folder() .. "/c", "bluesky:alice.test",
        { api = network.url, on_limit = "stop" })
      assert.matches("asks to wait .+ %(rate limit%): stopped", summary.failures[1])
    end
  end)

  it("goes on afterwards where it stopped", function()
    local network = support.network("bluesky")
    local path = support.folder() .. "/c"
    network:fault({ match = "getFollowers.*cursor", kind = "429", seconds = 700 })
    support.collect(path, "bluesky:alice.test", { api = network.url, on_limit = "stop" })
    network:forget()
    local _, counts = support.collect(path, "bluesky:alice.test", { api = network.url })
    assert.equal(130, counts.people)
    assert.equal(2, network:asked("getFollowers")) -- the rest, and the end
  end)
end)

describe("what goes wrong with any API", function()
  local said = {
    elsewhere = "redirect", html = "an HTML page came where JSON was expected",
    bomb = "bytes", expired = "400 Bad Request %(ExpiredToken",
    protected = "the account is closed", errors = "holds no followers",
    hidden = "holds no followers", ["403"] = "403 Forbidden", gone = "404 Not Found",
  }
  for kind, words in pairs(said) do
    it("is one line: " .. kind, function()
      local network = support.network("bluesky")
      network:fault({ match = "getFollowers", kind = kind, times = 9 })
      local summary = support.collect(support.folder() .. "/c", "bluesky:alice.test",
        { api = network.url })
      assert.matches("^bluesky:alice.test: [^\n]*$", summary.failures[1])
      assert.matches(words, summary.failures[1])
    end)
  end

  for _, kind in ipairs { "slow", "drip", "cut", "type", "redirect" } do
    it("does no harm: " .. kind, function()
      local network = support.network("bluesky")
      network:fault({ match = "getFollowers", kind = kind })
      local summary, counts = support.collect(support.folder() .. "/c", "bluesky:alice.test",
        { api = network.url, limit = 30 })
      assert.same({}, summary.failures)
      assert.equal(30, counts.people)
    end)
  end

  it("opens no more than two connections to an API, pictures it serves included", function()
    local network = support.network("mastodon")
    network:fault({ match = "/headers/", kind = "slow", times = 6 })
    support.collect(support.folder() .. "/c", "mastodon:alice@one.test",
      { api = network.url, limit = 30, concurrency = 16 })
    assert.is_true(network:most_at_once() <= 2)
  end)
end)

describe("what a network says about learning", function()
  it("is told once", function()
    local terms, base = require "daub.collect.terms", sources.terms
    sources.terms = function(name) return name == "bluesky" and "forbids nothing" or nil end
    local report = support.reporter()
    os.remove(require("daub.accounts").folder() .. "/terms.json")
    terms.tell({ { network = "bluesky" }, { network = "folder" } }, report)
    terms.tell({ { network = "bluesky" } }, report)
    sources.terms = base
    assert.same({ "bluesky: forbids nothing (said once)" }, report.notes)
    assert.is_truthy(system.stat(require("daub.accounts").folder() .. "/terms.json"))
  end)
end)
