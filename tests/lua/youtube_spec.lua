-- YouTube: listing, logging in on another device, hanging a banner and taking it down again.
local accounts = require "daub.accounts"
local daub = require "support.daub"
local http = require "daub.http"
local image = require "daub.image"
local login = require "daub.login.youtube"
local person = require "support.person"
local sources = require "daub.collect.sources"
local support = require "support.collecting"
local system = require "daub.core.system"
local youtube = require "daub.api.youtube"

local folder, key = accounts.folder, youtube.key
local scratch, network
before_each(function()
  scratch = support.folder()
  network = support.network("youtube")
  accounts.folder = function() return scratch .. "/daub" end
  youtube.key = function() return "the-api-key" end
end)
after_each(function()
  accounts.folder, youtube.key = folder, key
  support.clean_up()
end)
teardown(support.stop)

local function log_in(o)
  local fields = { token = "the-access-token", refresh_token = "the-refresh-token",
    client_id = "the-client", client_secret = "the-secret", api = network.url,
    expires = system.time() + 3600 }
  for name, value in pairs(o or {}) do fields[name] = value end
  assert(accounts.save("youtube", "alice", fields))
end

local function collect(spec, o)
  o = o or {}
  o.api = network.url
  local path = o.path or support.folder() .. "/c"
  local summary, counts = support.collect(path, spec, o)
  return counts, summary, path
end

local usual = { people = 130, pictures = 101, skipped = { ["no-cover"] = 14, blank = 1, small = 1,
  gone = 1, duplicate = 12 } }

describe("collecting from YouTube", function()
  it("takes in the channels somebody subscribes to, two calls for fifty", function()
    local counts, summary, path = collect("youtube:@alice")
    assert.same({}, summary.failures)
    assert.same(usual, counts)
    local asked = network:counts()
    assert.equal(3, asked["GET /youtube/v3/subscriptions"])
    assert.equal(1 + 3, asked["GET /youtube/v3/channels"])
    assert.equal(0, network:asked("the%-api%-key"))
    local before = support.contents(path)
    assert.same(counts, (collect("youtube:@alice", { path = path }))) -- now all is conditional
    assert.equal(1 + 3 + 3, network:unchanged())
    assert.equal(before, support.contents(path))
  end)

  it("shows subscribers to the owner alone", function()
    local source, message, code = sources.parse("youtube:@alice", { who = "followers" })
    assert.is_nil(source)
    assert.matches("youtube does not show followers %(it shows following%)", message)
    assert.equal("usage", code)
    log_in()
    local counts = collect("youtube:me")
    assert.equal(40, counts.people)
    counts = collect("youtube:alice?mutuals")
    assert.equal(20, counts.people)
  end)

  it("goes on where it stopped", function()
    network:fault({ match = "pageToken=CAAQAA50", kind = "403" })
    local counts, summary, path = collect("youtube:@alice", { max_wait = 0 })
    assert.equal(50, counts.people)
    assert.equal(1, #summary.failures)
    network:forget()
    local again = support.network("youtube") -- the fault is over
    counts = collect("youtube:@alice", { path = path })
    assert.same(usual, counts)
    assert.equal(0, again:asked("forHandle"))
  end)

  for _, case in ipairs {
    { "protected", "subscriptions", "youtube:@alice: keeps its subscriptions private" },
    { "hidden", "subscriptions", "hides the list %(130 following, none shown%)" },
    { "repeat", "subscriptions", "names the same page again and again", 99 },
    { "403-quota", "subscriptions", "may ask in a day is used up %(it starts anew at midnight" },
    { "html", "subscriptions", "an HTML page came where JSON was expected" },
    { "elsewhere", "subscriptions", "redirect" },
    { "redirect", "subscriptions", "redirect", 99 },
    { "bomb", "subscriptions", "more than %d+ bytes", 99 },
    { "errors", "forHandle", "no such channel" },
    { "gone", "channels%?id", "404" },
  } do
    it("says what is wrong: " .. case[1] .. " " .. case[2], function()
      network:fault({ match = case[2]:gsub("%%", "\\"), kind = case[1], times = case[4] or 1 })
      local _, summary = collect("youtube:@alice")
      assert.equal(1, #summary.failures)
      assert.matches(case[3], summary.failures[1])
      assert.is_nil(summary.failures[1]:find("the-api-key", 1, true))
    end)
  end

  it("waits where that is asked for, and does without what cannot be had", function()
    network:fault({ match = "subscriptions", kind = "429" })
    network:fault({ match = "channels", kind = "503", after = 1 })
    network:fault({ match = "pageToken=CAAQAA50", kind = "type" })
    network:fault({ match = "pageToken=CAAQAA100", kind = "cut" })
    network:fault({ match = "forHandle", kind = "drip" })
    network:fault({ match = "channels.*id=", kind = "slow", after = 1 })
    network:fault({ match = "banner/0008", kind = "webp", times = 1 })
    network:fault({ match = "banner/0009", kind = "html", times = 9 })
    local counts, summary = collect("youtube:@alice")
    assert.same({}, summary.failures)
    assert.equal(usual.pictures - 1, counts.pictures)
    assert.equal(1, counts.skipped.unreadable)
  end)

  it("says how to get in", function()
    youtube.key = function() return "another-key" end
    local _, summary = collect("youtube:@alice")
    assert.matches("the API key is not valid", summary.failures[1])
    youtube.key = function() return nil end
    local _, message, code = sources.parse("youtube:@alice")
    assert.matches("needs an API key or a login %(run: daub login youtube", message)
    assert.equal("login", code)
    _, message = sources.parse("youtube:me")
    assert.matches("not logged in with a channel", message)
    _, message, code = sources.parse("youtube:a/b")
    assert.matches("not a channel", message)
    assert.equal("usage", code)
  end)

  it("names a channel that is not there, and one that keeps to itself", function()
    local _, summary = collect("youtube:@nobody")
    assert.matches("youtube:@nobody: no such channel", summary.failures[1])
    _, summary = collect("youtube:@private")
    assert.matches("youtube:@private: keeps its subscriptions private", summary.failures[1])
  end)

  it("renews a login that has expired, before and after it is refused", function()
    log_in({ token = "an-old-token", expires = system.time() - 5 })
    assert.equal(130, (collect("youtube:me?following")).people)
    assert.equal("the-access-token", accounts.get("youtube").token)
    log_in({ token = "a-revoked-token" })
    assert.equal(130, (collect("youtube:me?following")).people)
    log_in({ token = "a-revoked-token", refresh_token = "gone-with-it" })
    local _, summary = collect("youtube:me?following")
    assert.matches("the login is no longer good %(run: daub login youtube%)", summary.failures[1])
  end)
end)

describe("logging in to YouTube", function()
  local o
  before_each(function() o = { api = network.url, http = http.session() } end)

  it("as a channel's owner waits for the code to be typed elsewhere", function()
    network:set({ answers = { "authorization_pending", "slow_down", "authorization_pending" } })
    local ui = person.new { "", "the-client", "the-secret" }
    local name, fields = login.login(ui, o)
    assert.equal("alice", name)
    assert.equal("the-access-token", fields.token)
    assert.equal("the-refresh-token", fields.refresh_token)
    assert.is_true(fields.expires > system.time() + 3000)
    assert.equal(1 + 1 + 6 + 6, ui.waited) -- slower once told to
    assert.equal("https://www.google.com/device", ui.opened)
    assert.matches("GQVQ-JKEC", table.concat(ui.said, "\n"), 1, true)
    assert(accounts.save("youtube", name, fields))
    assert.is_true(login.logout(accounts.get("youtube"), o))
    assert.equal(1, network:asked("/revoke"))
  end)

  it("says why not", function()
    network:set({ answers = { "access_denied" } })
    local _, message, code = login.login(person.new { "", "the-client", "the-secret" }, o)
    assert.same({ "the login was refused", "login" }, { message, code })
    _, message = login.login(person.new { "", "no-client", "the-secret" }, o)
    assert.matches("does not know this client ID", message)
    network:set({ answers = { "authorization_pending" } })
    _, message = login.login(person.new { "", "the-client", "no-secret" }, o)
    assert.matches("does not know this client ID", message)
    _, message = login.login(person.new { "a-wrong-key" }, o)
    assert.matches("the API key is not valid", message)
  end)

  it("with a key, as a program", function()
    local r = daub.run({ "login", "youtube", "--api", network.url }, { stdin = "the-api-key\n",
      env = { XDG_CONFIG_HOME = scratch } })
    assert.equal(0, r.code, r.err)
    assert.matches("youtube:key is logged in", r.out)
    assert.is_nil((r.out .. r.err):find("the-api-key", 1, true))
    assert.equal("the-api-key", accounts.get("youtube").api_key)
    r = daub.run({ "collect", scratch .. "/c", "--from", "youtube:@alice", "--api", network.url,
      "--limit", "5" }, { env = { XDG_CONFIG_HOME = scratch } })
    assert.equal(0, r.code, r.err)
    assert.matches("youtube: YouTube's developer policies", r.err)
    assert.matches("5 people", r.out)
  end)
end)

describe("a banner on YouTube", function()
  local picture, env
  before_each(function()
    log_in()
    picture = scratch .. "/painting.png"
    assert(image.save(picture, support.patches(3)))
    env = { env = { XDG_CONFIG_HOME = scratch } }
  end)

  local function banner()
    local client = youtube.client { key = "the-api-key", api = network.url, account =
      accounts.get("youtube"), ask = function(request) return http.session():request(request) end }
    local channel = client:get("/youtube/v3/channels", { part = "brandingSettings", mine = true })
      .items[1]
    return youtube.banner(channel), channel.brandingSettings.channel
  end

  it("is set, read back, and taken down again, the rest of the branding untouched", function()
    local r = daub.run({ "publish", picture, "--to", "youtube", "--yes" }, env)
    assert.equal(0, r.code, r.err)
    assert.matches("youtube:alice: set and verified", r.out)
    local url, rest = banner()
    assert.is_nil(url:find("banner/old", 1, true))
    assert.same({ title = "Alice", keywords = "paint" }, rest)
    local format, width, height = image.probe(assert(http.get(url)).body)
    assert.same({ "jpeg", 2560, 1440 }, { format, width, height })
    r = daub.run({ "publish", "--undo", "--to", "youtube", "--yes" }, env)
    assert.equal(0, r.code, r.err)
    assert.matches("the old cover is back", r.out)
    assert.equal(network.url .. "/banner/old", (banner()):gsub("/banner/%x+$", "/banner/old"))
    local old = assert(http.get(network.url .. "/banner/old=s0")).sha256
    assert.equal(old, http.get((banner())).sha256)
  end)

  it("is known by its look where YouTube gives it another address", function()
    network:set({ renames = true })
    local r = daub.run({ "publish", picture, "--to", "youtube", "--yes" }, env)
    assert.equal(0, r.code, r.err)
    assert.matches("/banner/renamed$", (banner()))
    network:set({ meddles = true })
    r = daub.run({ "publish", picture, "--to", "youtube", "--yes" }, env)
    assert.equal(1, r.code)
    assert.matches("taken, but it does not show yet: it shows another picture", r.err)
  end)

  it("is taken away where there was none", function()
    network:set({ banner = false })
    assert.equal(0, daub.run({ "publish", picture, "--to", "youtube", "--yes" }, env).code)
    assert.is_string((banner()))
    assert.equal(0, daub.run({ "publish", "--undo", "--to", "youtube", "--yes" }, env).code)
    assert.is_nil((banner()))
  end)

  it("changes nothing in a dry run, or when the old one cannot be saved", function()
    local r = daub.run({ "publish", picture, "--to", "youtube:alice", "--dry-run" }, env)
    assert.matches("would replace .*/banner/old of youtube:alice", r.out)
    network:fault({ match = "banner/old", kind = "gone", times = 9 })
    r = daub.run({ "publish", picture, "--to", "youtube", "--yes" }, env)
    assert.equal(1, r.code)
    assert.matches("the old cover could not be saved", r.err)
    assert.matches("/banner/old$", (banner()))
  end)

  it("says what YouTube says against it", function()
    network:fault({ match = "channelBanners", kind = "403-quota" })
    local r = daub.run({ "publish", picture, "--to", "youtube", "--yes" }, env)
    assert.equal(1, r.code)
    assert.matches("may ask in a day is used up", r.err)
    assert.is_nil(r.err:find("the-access-token", 1, true))
    r = daub.run({ "publish", picture, "--to", "youtube:bob", "--yes" }, env)
    assert.matches("youtube: not logged in with a channel", r.err)
  end)
end)

describe("a network that takes covers by hand only", function()
  for name, size in pairs { linkedin = "1584x396", facebook = "1640x624", twitch = "1200x480",
    tumblr = "3000x1055" } do
    it("gets the right file and the way: " .. name, function()
      local picture = scratch .. "/painting.png"
      assert(image.save(picture, support.patches(3)))
      local r = daub.run({ "publish", picture, "--to", name })
      assert.equal(0, r.code, r.err)
      local path = scratch .. "/painting-for-" .. name .. ".jpg"
      assert.equal(path .. "\n", r.out)
      assert.matches("By hand:.*https://www%.", r.err)
      local format, width, height = image.probe(assert(system.read_file(path)))
      assert.same({ "jpeg", size }, { format, width .. "x" .. height })
    end)
  end
end)
