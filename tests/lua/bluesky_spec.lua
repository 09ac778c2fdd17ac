-- What is Bluesky's own: originals checked by their CID, lists, labels, requests per thousand.
local cid = require "daub.cid"
local collection = require "daub.collect.collection"
local sources = require "daub.collect.sources"
local support = require "support.collecting"
local system = require "daub.core.system"

after_each(support.clean_up)
teardown(support.stop)

local spec = "bluesky:alice.test"

describe("a CID", function()
  it("is a hash of the bytes it names", function()
    -- as `printf hello | ipfs add --raw-leaves --cid-version 1` has it
    local hello = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"
    assert.equal(hello, cid.of("hello"))
    for _, bytes in ipairs { "", "hello", ("x"):rep(1000), "\0\255" } do
      assert.equal(system.sha256(bytes), cid.sha256(cid.of(bytes)))
    end
  end)

  it("of another kind is none of ours", function()
    assert.is_nil(cid.sha256("bafyreibbrs4dktp7hyno572ri7pzkoiuqxo2rugrs7iehmf2yjgusvajrm"))
    assert.is_nil(cid.sha256("bafkrei"))
    assert.is_nil(cid.sha256(cid.of("hello"):gsub("q$", "1")))
    assert.is_nil(cid.sha256(cid.of("hello") .. "a"))
  end)
end)

describe("a banner on Bluesky", function()
  it("is what was uploaded, bit for bit", function()
    local network = support.network("bluesky")
    network:set({ people = 9, redirect_blobs = true })
    local path = support.folder() .. "/c"
    local _, counts = support.collect(path, spec, { api = network.url })
    assert.equal(4, counts.pictures) -- not 0, 3: no banner, 4: blank, 5: tiny, 6: gone
    local covers = assert(collection.open(path))
    for _, picture in ipairs(covers:pictures()) do
      local row = covers.store:row([[select c.key as key from covers c join pictures p
        on p.id = c.picture_id where p.sha256 = ?]], { picture.sha256 })
      assert.equal(picture.sha256, cid.sha256(row.key))
    end
    covers:close()
  end)

  it("is not fetched again to see whether it changed: another one has another CID", function()
    local network = support.network("bluesky")
    network:set({ people = 30 })
    local path = support.folder() .. "/c"
    support.collect(path, spec, { api = network.url })
    network:forget()
    network:set({ changed = { 8 } })
    local summary = support.collect(path, spec, { api = network.url, refresh = true })
    assert.equal(1, summary.kept)
    -- the new one, and those that were of no use: gone, blank, tiny
    assert.equal(4, network:asked("getBlob"))
  end)

  it("comes from the CDN where its server has other bytes, or does not answer", function()
    local network = support.network("bluesky")
    network:set({ people = 30, other_server = { 7, 8 } })
    network:fault({ match = ("getBlob.*f%023d"):format(9), kind = "webp" })
    network:fault({ match = ("getBlob.*f%023d"):format(12), kind = "html" })
    network:fault({ match = ("getBlob.*f%023d"):format(13), kind = "500", times = 9 })
    local _, counts = support.collect(support.folder() .. "/c", spec, { api = network.url })
    assert.same({ people = 30, pictures = 21, skipped = { duplicate = 2, ["no-cover"] = 4,
      blank = 1, small = 1, gone = 1 } }, counts)
    for _, number in ipairs { 7, 8, 9, 12, 13 } do
      assert.equal(1, network:asked(("/img/.*f%023d/.*@jpeg$"):format(number)))
    end
    assert.equal(6, network:asked("/img/")) -- those, and the one that is gone
  end)
end)

describe("people on Bluesky", function()
  it("of a list, found by its name or address", function()
    local network = support.network("bluesky")
    local path, _ = support.folder() .. "/c", nil
    local summary, counts = support.collect(path, spec .. "?list=friends", { api = network.url })
    assert.same({}, summary.failures)
    assert.equal(120, counts.people)
    assert.equal(2, network:asked("getLists"))
    assert.equal(3, network:asked("getList%?"))
    local uri = "at://did:plc:alicealicealicealicealic/app.bsky.graph.list/3kfriends"
    _, counts = support.collect(path, spec .. "?list=" .. uri, { api = network.url })
    assert.equal(120, counts.people)
    summary = support.collect(path, spec .. "?list=Enemies", { api = network.url })
    assert.equal(spec .. "?list=Enemies: no list of that name (there are: Others, Friends)",
      summary.failures[1])
    summary = support.collect(path, spec .. "?list=at://did:plc:x/app.bsky.graph.list/y",
      { api = network.url })
    assert.matches("no such list$", summary.failures[1])
  end)

  it("who want to be seen by members only, or by no machine, are left out", function()
    local network = support.network("bluesky")
    network:set({ people = 30, private = { 7, 8 }, noindex = { 9 } })
    local path = support.folder() .. "/c"
    local _, counts = support.collect(path, spec, { api = network.url })
    assert.equal(3, counts.skipped.noindex)
    for _, number in ipairs { 7, 8, 9 } do
      assert.equal(0, network:asked(("getBlob.*f%023d"):format(number)))
    end
    _, counts = support.collect(path, spec, { api = network.url, include_noindex = true })
    assert.is_nil(counts.skipped.noindex)
  end)

  it("carry the name they have in the fediverse, if they have one of their own", function()
    local source = assert(sources.parse(spec))
    local function get()
      return { status = 200, json = function()
        return { followers = { { did = "did:plc:a", handle = "Bob.test" },
          { did = "did:plc:b", handle = "handle.invalid" }, { did = "did:plc:c" } } }
      end }
    end
    local people = source:page("followers", nil, get).people
    assert.same({ "acct:bob.test@bsky.brid.gy" }, people[1].also)
    assert.is_nil(people[2].also or people[3].also)
    assert.equal("https://bsky.app/profile/did:plc:b", people[2].url)
  end)

  it("cost 10 requests a thousand, 40 for their banners, and one for each picture", function()
    local network = support.network("bluesky")
    network:set({ people = 1000, exact = true })
    local seen, source = 0, assert(sources.parse(spec, { api = network.url }))
    local summary = assert(require("daub.collect.run").preview({ source },
      { report = support.reporter(), visit = function() seen = seen + 1 end }))
    assert.same({ 1000, {} }, { seen, summary.failures })
    local counts = network:counts()
    assert.equal(10, counts["GET /xrpc/app.bsky.graph.getFollowers"])
    assert.equal(40, counts["GET /xrpc/app.bsky.actor.getProfiles"])
    assert.equal(50, network:asked("."))
    network:set({ people = 100 })
    network:forget()
    local _, kept = support.collect(support.folder() .. "/c", spec, { api = network.url })
    -- 90 show a banner, 9 of them the same one; one was deleted; one is gone from the CDN, too
    assert.equal(90 - 9 - 1, network:asked("getBlob"))
    assert.equal(1, network:asked("/img/"))
    assert.equal(100, kept.people)
  end)
end)
