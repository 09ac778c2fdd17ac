local collection = require "daub.collect.collection"
local support = require "support.collecting"

after_each(support.clean_up)
teardown(support.stop)

describe("collecting from Bluesky", function()
  it("takes in followers, page by page, asking for nothing twice", function()
    local network = support.network("bluesky")
    local summary, counts = support.collect(support.folder() .. "/c", "bluesky:alice.test",
      { api = network.url })
    assert.same({}, summary.failures)
    assert.same({ people = 130, pictures = 101, skipped = { duplicate = 12, ["no-cover"] = 14,
      blank = 1, small = 1, gone = 1 } }, counts)
    assert.equal(3, network:asked("getFollowers")) -- 100, 30, and none: only then the cursor ends
    assert.equal(6, network:asked("getProfiles"))  -- ceil(130 / 25)
    assert.equal(104, network:asked("getBlob")) -- one for each CID
    assert.equal(1, network:asked("/img/"))     -- where that failed: the one that is gone
    assert.equal(1, network:asked("/img/.*@jpeg$"))
  end)

  it("asks for no empty page when the cursor ends with the last", function()
    local network = support.network("bluesky")
    network:set({ exact = true })
    support.collect(support.folder() .. "/c", "bluesky:@Alice.test", { api = network.url .. "/" })
    assert.equal(2, network:asked("getFollowers"))
  end)

  it("fetches only what is new when it runs again", function()
    local network = support.network("bluesky")
    local path = support.folder() .. "/c"
    support.collect(path, "bluesky:alice.test", { api = network.url })
    local before = support.contents(path)
    network:forget()
    local summary, counts = support.collect(path, "bluesky:alice.test", { api = network.url })
    assert.equal(0, summary.kept)
    assert.equal(101, counts.pictures)
    assert.equal(0, network:asked("getBlob"))
    assert.equal(before, support.contents(path))

    network:set({ changed = { 8 } })
    summary = support.collect(path, "bluesky:alice.test", { api = network.url })
    assert.equal(1, summary.kept)
    assert.equal(1, network:asked("getBlob"))
    local covers = collection.open(path)
    assert.equal(102, #covers:pictures()) -- the old one stays
    covers:close()
  end)

  it("takes the people one follows, and both", function()
    local network = support.network("bluesky")
    local path = support.folder() .. "/c"
    local _, counts = support.collect(path, "bluesky:alice.test",
      { api = network.url, who = "following" })
    assert.equal(40, counts.people)
    assert.equal(0, network:asked("getFollowers"))
    _, counts = support.collect(path, "bluesky:alice.test", { api = network.url, who = "both" })
    assert.equal(150, counts.people)
  end)

  it("stops at the limit and goes on from there with a greater one", function()
    local network = support.network("bluesky")
    local path = support.folder() .. "/c"
    local o = { api = network.url, limit = 30 }
    local _, counts = support.collect(path, "bluesky:alice.test", o)
    assert.equal(30, counts.people)
    network:forget()
    support.collect(path, "bluesky:alice.test", o)
    assert.equal(0, network:asked("getFollowers"))
    o.limit = 110
    _, counts = support.collect(path, "bluesky:alice.test", o)
    assert.equal(110, counts.people)
    support.collect(path, "bluesky:alice.test", { api = network.url })
    local whole = support.folder() .. "/whole"
    support.collect(whole, "bluesky:alice.test", { api = network.url })
    assert.equal(support.contents(whole), support.contents(path))
  end)

  it("knows everybody who shows a picture", function()
    local network = support.network("bluesky")
    local path = support.folder() .. "/c"
    support.collect(path, "bluesky:alice.test", { api = network.url })
    local covers = collection.open(path)
    local most = 0
    for _, picture in ipairs(covers:pictures()) do
      local people = covers:people(picture.sha256)
      assert.is_true(#people >= 1)
      if #people > most then
        most = #people
        assert.equal("bluesky", people[1].network)
        assert.matches("^f%d+%.test$", people[1].handle)
        assert.matches("^https://bsky.app/profile/f%d+", people[1].url)
      end
    end
    assert.equal(13, most)
    covers:close()
  end)

  it("notices a server that names the same page for ever", function()
    local network = support.network("bluesky")
    network:set({ repeat_cursor = true })
    local path = support.folder() .. "/c"
    local summary, counts = support.collect(path, "bluesky:alice.test", { api = network.url })
    assert.matches("same page again", summary.failures[1])
    assert.equal(101, counts.pictures)
  end)

  it("goes on from the start when the kept cursor became void", function()
    local network = support.network("bluesky")
    local path = support.folder() .. "/c"
    support.collect(path, "bluesky:alice.test", { api = network.url, limit = 100 })
    network:fault({ match = "getFollowers.*cursor", kind = "gone" })
    local summary, counts, report = support.collect(path, "bluesky:alice.test",
      { api = network.url })
    assert.same({}, summary.failures)
    assert.equal(130, counts.people)
    assert.matches("from the start", report.notes[1])
  end)

  it("says what is wrong with an account or a server", function()
    local network = support.network("bluesky")
    local path = support.folder() .. "/c"
    local summary = support.collect(path, "bluesky:nobody.test", { api = network.url })
    assert.matches("^bluesky:nobody.test: no such account", summary.failures[1])
    network:fault({ match = "getProfiles", kind = "html", times = 99 })
    summary = support.collect(path, "bluesky:alice.test", { api = network.url })
    assert.matches("JSON was expected", summary.failures[1])
  end)

  it("waits as long as a server asks, visibly", function()
    local network = support.network("bluesky")
    network:fault({ match = "getFollowers", kind = "429-epoch" })
    network:fault({ match = "getBlob", kind = "503", after = 20 })
    local summary, counts, report = support.collect(support.folder() .. "/c", "bluesky:alice.test",
      { api = network.url })
    assert.same({}, summary.failures)
    assert.equal(101, counts.pictures)
    assert.matches("127.0.0.1:%d+: .+ left", table.concat(report.lines, "\n"))
  end)

  it("gives a source up when the wait is longer than allowed", function()
    local network = support.network("bluesky")
    network:fault({ match = "getFollowers", kind = "429-delta" })
    local summary = support.collect(support.folder() .. "/c", "bluesky:alice.test",
      { api = network.url, max_wait = 0 })
    assert.matches("max_wait", summary.failures[1])
  end)

  it("copes with everything that goes wrong with pictures", function()
    local network = support.network("bluesky")
    local faults = { [7] = "cut", [8] = "type", [9] = "redirect", [12] = "slow", [13] = "webp",
      [14] = "500", [15] = "html", [16] = "gone" }
    network:set({ people = 30 })
    for number, kind in pairs(faults) do
      network:fault({ match = ("(getBlob|/img/).*f%023d"):format(number), kind = kind, times = 2 })
    end
    local _, counts = support.collect(support.folder() .. "/c", "bluesky:alice.test",
      { api = network.url })
    assert.same({ people = 30, pictures = 19, skipped = { duplicate = 2, ["no-cover"] = 4,
      blank = 1, small = 1, gone = 2, unreadable = 1 } }, counts)
  end)
end)
