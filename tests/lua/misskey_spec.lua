-- Misskey: listing by POST, lists, login by MiAuth, banners hung and taken down, every fault.
local accounts = require "daub.accounts"
local collect = require "daub.collect.run"
local http = require "daub.http"
local image = require "daub.image"
local person = require "support.person"
local publish = require "daub.publish"
local publisher = require "daub.publish.misskey"
local sources = require "daub.collect.sources"
local publishing = require "support.publishing"
local support = require "support.collecting"

local spec = "misskey:alice@one.test"
local folder = accounts.folder
local scratch, network, session
before_each(function()
  scratch = support.folder()
  accounts.folder = function() return scratch .. "/daub" end
  network = support.network("misskey")
  session = http.session({ max_wait = 5, retries = 0 })
end)
after_each(function()
  session:close()
  accounts.folder = folder
  support.clean_up()
end)
teardown(support.stop)

local function allow(url)
  assert(http.get(url:gsub("/miauth/", "/allow/"), { method = "POST" }))
end

-- Somebody who presses "Allow" while the server is asked for the second time.
local function patient()
  return person.new({}, { wait = function(self)
    if self.waited > 3 and not self.allowed then
      self.allowed = true
      allow(self.opened)
    end
  end })
end

local function log_in(ui)
  return person.log_in("misskey", ui or patient(),
    { who = "alice@one.test", api = network.url, http = session })
end

local function run(from, o)
  o = o or {}
  o.api = network.url
  local summary, counts = support.collect(scratch .. "/c", from or spec, o)
  return counts, summary
end

local function picture(seed) return image.encode(support.patches(seed), "jpeg") end

local function shown()
  return assert(assert(publisher.new({ http = session })):current()).url
end

describe("collecting from Misskey", function()
  it("takes in followers, and knows them by what the fediverse calls them", function()
    local counts, summary = run()
    assert.same({}, summary.failures)
    assert.same({ people = 130, pictures = 101, skipped = { ["no-cover"] = 13, blank = 1, small = 1,
      gone = 1, ["bad-address"] = 1, duplicate = 12 } }, counts)
    local asked = network:counts()
    assert.equal(1, asked["POST /api/users/show"])
    assert.equal(3, asked["POST /api/users/{listing}"]) -- 100, 30, and none: only that is the end
    local people = {}
    local source = assert(sources.parse(spec, { api = network.url, who = "following" }))
    assert(collect.preview({ source }, { report = support.reporter(),
      visit = function(_, who) people[#people + 1] = who end }))
    assert.equal(40, #people)
    assert.same({ "user0110@one.test", "User0110@one.test", { "acct:user0110@one.test" },
      "https://one.test/@User0110" },
      { people[1].key, people[1].handle, people[1].also, people[1].url })
  end)

  it("goes on where it stopped", function()
    network:fault({ match = "followers", kind = "403", after = 1 })
    local counts, summary = run()
    assert.equal(100, counts.people)
    assert.equal(1, #summary.failures)
    network:forget()
    counts = run()
    assert.equal(130, counts.people)
    assert.equal(0, network:asked("users/show"))
  end)

  it("costs 10 requests a thousand, one for the account, one to see the end", function()
    network:set({ people = 1000 })
    local source = assert(sources.parse(spec, { api = network.url }))
    assert(collect.preview({ source }, { report = support.reporter(), visit = function() end }))
    assert.equal(12, network:asked("."))
  end)

  it("leaves those out who want to be seen by members only", function()
    network:set({ noindex = { 8, 9 } })
    local counts = run(spec, { limit = 20 })
    assert.equal(2, counts.skipped.noindex)
    assert.equal(0, network:asked("0000[89].png"))
  end)

  it("takes the members of a list: public ones, and one's own", function()
    local counts, summary = run(spec .. "?list=friends")
    assert.same({}, summary.failures)
    assert.equal(120, counts.people)
    assert.equal(3, network:counts()["POST /api/users/show"]) -- alice, 100 and 20 members
    summary = select(2, run(spec .. "?list=Secret"))
    assert.matches("no list of that name %(there are: Friends%)", summary.failures[1])
    log_in()
    network:forget()
    counts, summary = run(spec .. "?list=Secret")
    assert.same({}, summary.failures)
    assert.equal(120, counts.people) -- number 8 is a friend, too
  end)

  it("logs in where a list is for members, or hidden", function()
    network:set({ members_only = true })
    local _, summary = run()
    assert.matches("with a login only %(run: daub login misskey:alice@one.test%)",
      summary.failures[1])
    network:set({ members_only = false, private = true })
    _, summary = run()
    assert.equal(spec .. ": hides the list", summary.failures[1])
    log_in()
    local counts
    counts, summary = run()
    assert.same({}, summary.failures)
    assert.equal(130, counts.people)
    network:set({ granted = { other = "read:account" } }) -- revoked meanwhile
    _, summary = run()
    assert.matches("the login in use was refused; run: daub login", summary.failures[1])
  end)

  local said = {
    errors = "no list came %(Internal error occurred.%)", hidden = "hides the list",
    expired = "with a login only", protected = "with a login only", ["403"] = "with a login only",
    gone = "no such account", html = "JSON was expected", elsewhere = "redirect", bomb = "bytes",
    ["repeat"] = "same page again",
  }
  for kind, words in pairs(said) do
    it("ends with one line: " .. kind, function()
      network:fault({ match = "/followers", kind = kind, times = 9 })
      local _, summary = run()
      assert.matches("^misskey:alice@one.test: [^\n]*" .. words, summary.failures[1])
    end)
  end

  for _, kind in ipairs { "429-misskey", "500", "cut", "drip", "type", "slow", "503 #slow" } do
    it("does all the same: " .. kind, function()
      network:fault({ match = "/followers", kind = kind:gsub(" .*", "") })
      local counts, summary = run(spec, { limit = 20 })
      assert.same({}, summary.failures)
      assert.equal(20, counts.people)
    end)
  end

  it("names an account that is none", function()
    local _, _, code = sources.parse("misskey:alice")
    assert.equal("usage", code)
    local _, summary = run("misskey:nobody@one.test")
    assert.matches("no such account, or only members see it", summary.failures[1])
    assert(accounts.save("misskey", "nobody@one.test", { token = "whatever" }))
    network:fault({ match = "users/show", kind = "gone" })
    summary = select(2, run("misskey:nobody@one.test"))
    assert.matches("no such account %(check the spelling%)$", summary.failures[1])
  end)
end)

describe("logging in to Misskey", function()
  it("waits until it is allowed in a browser", function()
    local ui = patient()
    assert.equal("alice@one.test", (log_in(ui)))
    assert.equal(6, ui.waited)
    assert.matches("/miauth/%x+%-%x+%-4%x+%-a%x+%-%x+%?name=daub&permission=", ui.opened)
    assert.matches("^misskey%-token%-", accounts.get("misskey").token)
    assert.equal(network.url, accounts.get("misskey").api)
  end)

  it("says what is wrong", function()
    local _, message, code = log_in(person.new())
    assert.same({ "nobody allowed it in the browser (run it again)", "timeout" },
      { message, code })
    network:set({ username = "bob" })
    _, message = log_in()
    assert.matches("logged in as bob, not as alice", message)
    network:fault({ match = "miauth", kind = "html" })
    _, message = log_in()
    assert.matches("JSON was expected", message)
  end)
end)

describe("hanging a banner on Misskey", function()
  it("is verified, and undone by naming the old file again", function()
    log_in()
    local p = assert(publisher.new({ http = session }))
    assert(publishing.hang(p, picture(1)))
    local first = shown()
    assert(publishing.hang(p, picture(2)))
    assert.not_equal(first, shown())
    assert(publish.undo(p))
    assert.equal(first, shown())
    assert(publish.undo(p))
    assert.is_nil(shown())
    assert.equal(2, network:asked("drive/files/create"))
  end)

  it("brings the old picture back when its file is gone", function()
    log_in()
    local p = assert(publisher.new({ http = session }))
    assert(publishing.hang(p, picture(1)))
    assert(publishing.hang(p, picture(2)))
    network:set({ drive = {}, banner = false })
    assert(publish.undo(p))
    assert.equal(picture(1), assert(http.get(shown())).body)
  end)

  it("says in one line what goes wrong", function()
    log_in()
    local p = assert(publisher.new({ http = session }))
    local said = { expired = "daub login misskey:alice@one.test", ["500"] = "500",
      html = "JSON was expected", errors = "the picture was not taken" }
    for kind, words in pairs(said) do
      network:fault({ match = "drive/files", kind = kind })
      local receipt, message = p:set(picture(3))
      assert.is_nil(receipt)
      assert.matches("^misskey:alice@one.test: [^\n]*" .. words, message)
    end
    local _, message = p:set("no picture")
    assert.matches("Inappropriate", message)
    local receipt = assert(p:set(picture(3)))
    network:fault({ match = "/files/9k", kind = "webp" })
    local code
    _, message, code = p:verify(receipt)
    assert.same({ "it shows another picture", "mismatch" }, { message, code })
    network:set({ banner = false })
    _, _, code = p:verify(receipt)
    assert.equal("pending", code)
  end)
end)
