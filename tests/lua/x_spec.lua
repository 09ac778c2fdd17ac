-- Collecting from X in both versions of its API.
local accounts = require "daub.accounts"
local collecting = require "daub.collect.run"
local collection = require "daub.collect.collection"
local daub = require "support.daub"
local http = require "daub.http"
local secrets = require "daub.secrets"
local sources = require "daub.collect.sources"
local support = require "support.collecting"
local system = require "daub.core.system"
local x = require "daub.api.x"

local usual = { people = 130, pictures = 113, skipped = { ["no-cover"] = 13, blank = 1, small = 1,
  gone = 1, ["bad-address"] = 1 } }

after_each(support.clean_up)
teardown(support.stop)

-- Logged in as alice in every way, in a folder of the test's own.
local folder = accounts.folder
local logins = {
  pin = { consumer_key = "consumer-key", consumer_secret = "consumer-secret",
    token = "1699999999999999999-access-token", token_secret = "access-secret" },
  browser = { bearer = "user-token-0", refresh_token = "refresh-token-0", client_id = "client-id",
    client_secret = "client-secret", expires = system.time() + 7200 },
}
local function log_in(way, changes)
  local fields = {}
  for name, value in pairs(logins[way]) do fields[name] = value end
  for name, value in pairs(changes or {}) do fields[name] = value end
  assert(accounts.save("x", "alice", fields))
end
before_each(function()
  local scratch = support.folder()
  accounts.folder = function() return scratch end
end)
after_each(function() accounts.folder = folder end)

local function yes() return true end

local function collect(path, network, version, o)
  o = o or {}
  o.api, o.ask = network.url .. (version == 1 and "/1.1" or ""), o.ask or yes
  return support.collect(path, o.spec or "x:alice", o)
end

for version = 1, 2 do
  describe("collecting from X by version " .. version, function()
    before_each(function() log_in(version == 1 and "pin" or "browser") end)

    it("takes in followers with their banners", function()
      local network = support.network("x")
      local path = support.folder() .. "/c"
      local summary, counts = collect(path, network, version)
      assert.same({}, summary.failures)
      assert.same(usual, counts)
      local covers = assert(collection.open(path))
      local row = covers.store:row([[select p.key, p.handle, p.url, c.key as cover, c.url as at
        from people p join covers c on c.id = p.cover_id where handle = 'user0008']])
      covers:close()
      assert.same({ key = "1700000000000000008", handle = "user0008",
        url = "https://x.com/user0008",
        cover = "x:banner:1700000000000000008:1520354408",
        at = network.url .. "/profile_banners/1700000000000000008/1520354408/1500x500" }, row)
      -- the picture without the variant where the variant is missing
      assert.equal(13 + 1, network:asked("1520354408$"))
    end)

    it("fetches a banner again when its address names another time", function()
      local network = support.network("x")
      local path = support.folder() .. "/c"
      network:set({ people = 20 })
      collect(path, network, version)
      network:set({ changed = { 8 } })
      network:forget()
      local summary = collect(path, network, version)
      assert.same({}, summary.failures)
      assert.equal(1, network:asked("1700000000000000008/1520354409"))
      assert.equal(0, network:asked("1700000000000000008/1520354408"))
    end)

    it("makes only conditional requests the second time", function()
      local network = support.network("x")
      local path = support.folder() .. "/c"
      network:set({ people = 40 })
      collect(path, network, version)
      local before = support.contents(path)
      network:forget()
      local summary = collect(path, network, version)
      assert.equal(40, summary.listed)
      assert.equal(before, support.contents(path))
      assert.equal(2, network:asked("."))
      assert.equal(2, network:unchanged())
    end)

    it("knows mutuals and lists", function()
      local network = support.network("x")
      network:set({ bare = true })
      local summary, counts = collect(support.folder() .. "/c", network, version,
        { spec = "x:alice?mutuals" })
      assert.same({}, summary.failures)
      assert.equal(20, counts.people)
      summary, counts = collect(support.folder() .. "/c", network, version,
        { spec = version == 1 and "x:alice?list=friends" or "x:alice?list=Friends" })
      assert.same({}, summary.failures)
      assert.equal(30, counts.people)
      summary = collect(support.folder() .. "/c", network, version, { spec = "x:alice?list=Foes" })
      assert.matches("^x:alice%?list=Foes: .*no .*list", summary.failures[1])
    end)

    it("leaves protected accounts alone unless told otherwise", function()
      local network = support.network("x")
      network:set({ people = 20, protected = { 8, 11 } })
      local _, counts = collect(support.folder() .. "/c", network, version)
      assert.equal(2, counts.skipped.noindex)
      assert.equal(0, network:asked("0000000008/"))
      _, counts = collect(support.folder() .. "/c", network, version, { include_noindex = true })
      assert.equal(14, counts.pictures)
    end)

    it("goes on where it stopped, and not in circles", function()
      local network = support.network("x")
      network:set({ people = 2600, bare = true })
      local path = support.folder() .. "/c"
      local page = version == 1 and "list.json.*cursor=16" or "pagination_token"
      network:fault({ match = page, kind = "403" })
      local summary = collect(path, network, version, { on_limit = "stop" })
      assert.matches("^x:alice: .*403", summary.failures[1])
      network:forget()
      local _, counts = collect(path, network, version)
      assert.equal(2600, counts.people)
      assert.equal(version == 1 and 12 or 2, network:asked("followers"))
      network:set({ repeat_cursor = true })
      summary = collect(support.folder() .. "/d", network, version)
      assert.matches("same page again and again", summary.failures[1])
    end)

    local said = {
      protected = "^x:alice: the account is protected", errors = "^x:alice: no such account",
      suspended = "^x:alice: the account is suspended", clock = "this machine's clock is wrong",
      ["453"] = "plan does not include", ["not-enrolled"] = "attach it to a project",
      spent = "credits are spent", hidden = "^x:alice: hides the list %(130 followers, none",
      html = "an HTML page came where JSON", ["403"] = "403 Forbidden", bomb = "bytes",
      elsewhere = "redirect", webp = "came where JSON was expected",
    }
    for kind, words in pairs(said) do
      it("says in one line what is wrong: " .. kind, function()
        local network = support.network("x")
        network:fault({ match = "followers", kind = kind, times = 9 })
        local summary, counts = collect(support.folder() .. "/c", network, version)
        assert.matches("^x:alice: [^\n]*$", summary.failures[1])
        assert.matches(words, summary.failures[1])
        assert.equal(0, counts.people)
      end)
    end

    for _, kind in ipairs { "slow", "drip", "cut", "type", "redirect",
      version == 2 and "503" or nil } do
      it("gets along with " .. kind, function()
        local network = support.network("x")
        network:fault({ match = "followers", kind = kind })
        local summary, counts = collect(support.folder() .. "/c", network, version, { limit = 20 })
        assert.same({}, summary.failures)
        assert.equal(20, counts.people)
      end)
    end

    it("gets along with damaged and vanished banners", function()
      local network = support.network("x")
      for i, kind in ipairs { "html", "webp", "cut", "gone", "500" } do
        network:fault({ match = ("00001%d/.*1500x500"):format(i), kind = kind })
      end
      local summary, counts = collect(support.folder() .. "/c", network, version, { limit = 20 })
      assert.same({}, summary.failures)
      assert.equal(20, counts.people)
      assert.equal(1, counts.skipped.unreadable)
    end)

    it("knows nobody it was not told of", function()
      local network = support.network("x")
      local summary = collect(support.folder() .. "/c", network, version, { spec = "x:bob" })
      assert.matches("^x:bob: no such account", summary.failures[1])
    end)
  end)
end

describe("people X tells nothing of", function()
  it("are counted and said", function()
    log_in("browser")
    local network = support.network("x")
    network:set({ partial = true })
    local _, counts, report = collect(support.folder() .. "/c", network, 2)
    assert.same(usual, counts)
    assert.same({ "x:alice: 1 entry that names nobody in what the server lists, left out"
      .. " (suspended, gone or damaged)" }, report.notes)
  end)
end)

describe("requests for X", function()
  it("are one and another for a thousand followers by version 2", function()
    log_in("browser")
    local network = support.network("x")
    network:set({ people = 2000, bare = true })
    local _, counts = collect(support.folder() .. "/c", network, 2)
    assert.equal(2000, counts.people)
    assert.equal(2, network:counts()["GET /2/users/{id}/followers"])
    assert.equal(1, network:counts()["GET /2/users/by/username/{name}"])
  end)

  it("are five for a thousand by version 1.1, and ids for more than its lists allow", function()
    log_in("pin")
    local network = support.network("x")
    network:set({ people = 1000, bare = true })
    collect(support.folder() .. "/c", network, 1)
    assert.equal(5, network:counts()["GET /1.1/followers/list.json"])
    network:set({ people = 5400, gone = { 9, 3000 } })
    local path = support.folder() .. "/d"
    local summary, counts = collect(path, network, 1)
    assert.same({}, summary.failures)
    assert.equal(5400, counts.people)
    assert.equal(5, network:counts()["GET /1.1/followers/list.json"])
    assert.equal(2, network:counts()["GET /1.1/followers/ids.json"])
    assert.equal(54, network:counts()["GET /1.1/users/lookup.json"])
    local before = support.contents(path)
    network:forget()
    collect(path, network, 1)
    assert.equal(before, support.contents(path))
    assert.equal(1 + 2 + 54, network:asked("/1.1/"))
  end)
end)

describe("X's price", function()
  before_each(function() log_in("browser") end)

  local function asked_for(o)
    local network, question = support.network("x"), nil
    if o.people then network:set({ people = o.people }) end
    o.ask = function(text)
      question = text
      return false
    end
    local summary = collect(support.folder() .. "/c", network, 2, o)
    assert.equal(0, network:asked("/followers%?") + network:asked("/following%?"))
    return question, summary.failures[1]
  end

  it("is said and agreed to before it is spent", function()
    local question, failure = asked_for({ people = 1930 })
    assert.equal("x:alice: X charges up to $19.31 for reading 1930 people ($1.94 if the app is"
      .. " yours, too). Go on?", question)
    assert.equal("x:alice: X charges up to $19.31 for this, which was not agreed to (--yes does)",
      failure)
    assert.matches("up to %$1.71 for reading 170 people", (asked_for({ who = "both" })))
    assert.matches("up to %$0.51 for reading 50 people", (asked_for({ limit = 50 })))
  end)

  it("is not for more people than are wanted", function()
    local network = support.network("x")
    network:set({ bare = true })
    collect(support.folder() .. "/c", network, 2, { limit = 50 })
    assert.equal(1, network:asked("followers%?max_results=50&"))
  end)

  it("is not asked where there is nobody to read", function()
    local network = support.network("x")
    network:set({ people = 0 })
    local summary = collect(support.folder() .. "/c", network, 2, { ask = error })
    assert.same({}, summary.failures)
  end)
end)

describe("daub collect --from x", function()
  it("says terms and price, and shows the token nowhere", function()
    local network = support.network("x")
    network:set({ people = 20 })
    local home = support.folder()
    local function run(...)
      return daub.run({ "collect", home .. "/c", "--from", "x:alice", "--api", network.url, ... },
        { env = { XDG_CONFIG_HOME = home, DAUB_X_BEARER = "app-bearer" } })
    end
    local r = run()
    assert.equal(1, r.code)
    assert.matches("x: X forbids to train models on its data", r.err)
    assert.matches("daub: x:alice: X charges up to %$0.21 for this, which was not agreed", r.err)
    assert.equal(0, network:asked("followers%?"))
    r = run("--yes")
    assert.equal(0, r.code)
    assert.matches("for reading 20 people. Go on%? Yes %(%-%-yes%)", r.err)
    assert.is_nil(r.err:find("forbids to train", 1, true)) -- said once
    assert.matches("14 pictures from 20 people", r.out)
    network:fault({ match = "followers", kind = "expired" })
    r = run("--yes", "--json")
    assert.matches("X refuses the login", r.err)
    for _, text in ipairs { r.out, r.err, system.read_file(home .. "/c/collection.db") } do
      assert.is_nil(text:find("app-bearer", 1, true))
    end
  end)
end)

describe("a login at X", function()
  it("is needed", function()
    local source, message, code = sources.parse("x:alice")
    assert.is_nil(source)
    assert.equal("login", code)
    assert.matches("without a login %(run: daub login x; or set DAUB_X_BEARER", message)
    log_in("browser")
    assert.truthy(sources.parse("x:bob"))
    source, message, code = sources.parse("x:alice", { api = "http://127.0.0.1:1/1.1" })
    assert.is_nil(source)
    assert.equal("login", code)
    assert.matches("without a login by PIN", message)
    source = assert(sources.parse("x:alice", { api = "http://127.0.0.1:8112/2" }))
    assert.equal("http://127.0.0.1:8112", source.auth.root)
    source = assert(sources.parse("x:alice", { api = "http://127.0.0.1:8112" }))
    assert.equal("http://127.0.0.1:8112", source.auth.root)
    for _, spec in ipairs { "x:alice.test", "x:a_handle_that_is_too_long", "x:al/ice" } do
      assert.equal("usage", select(3, sources.parse(spec)))
    end
  end)

  it("by PIN reads version 2, too", function()
    log_in("pin")
    local network = support.network("x")
    local summary, counts = collect(support.folder() .. "/c", network, 2, { limit = 20 })
    assert.same({}, summary.failures)
    assert.equal(20, counts.people)
  end)

  it("by PIN signs anew after a wait, for the time when it is over", function()
    log_in("pin")
    local network = support.network("x")
    network:fault({ match = "followers/list", kind = "429-bare" })
    network:fault({ match = "followers/list", kind = "429-x" })
    local url, times = network.url .. "/1.1/followers/list.json?screen_name=alice", {}
    local sign = x.speaking(accounts.get("x"), { v1 = true }):headers("GET", url)
    assert(http.session({ backoff = 0.01 }):get(url, { headers = function(at)
      times[#times + 1] = at
      return sign(at)
    end }))
    assert.equal(3, #times)
    assert.is_true(times[3] - times[2] >= 1)
  end)

  it("by browser is renewed before it runs out and after it was refused", function()
    local network = support.network("x")
    network:set({ bare = true })
    log_in("browser", { expires = system.time() + 5, api = network.url })
    local summary = collect(support.folder() .. "/c", network, 2)
    assert.same({}, summary.failures)
    assert.equal("refresh-token-1", accounts.get("x").refresh_token)
    network:set({ user_token = "another" })
    summary = collect(support.folder() .. "/d", network, 2)
    assert.same({}, summary.failures)
    local account = accounts.get("x")
    assert.equal("user-token-2", account.bearer)
    assert.is_true(account.expires > system.time() + 7000)
    assert.equal("a …", secrets.redact("a user-token-2"))
    log_in("browser", { expires = system.time() - 5, api = network.url })
    summary = collect(support.folder() .. "/e", network, 2)
    assert.matches("^x:alice: .*daub login x", summary.failures[1])
  end)

  it("that is refused is named as such", function()
    local network = support.network("x")
    log_in("pin", { token_secret = "another-secret" })
    for version = 1, 2 do
      local summary = collect(support.folder() .. "/c", network, version)
      assert.matches("^x:alice: X refuses the login %(run: daub login x%)", summary.failures[1])
    end
  end)
end)

-- Lists by python3-tweepy, somebody else's client, which insists on https and X's own host.
local tweepy = [[
import sys, tweepy, requests
class Here(requests.adapters.HTTPAdapter):
    def send(self, request, **kw):
        request.headers["Host"] = "api.twitter.com"
        request.headers["X-Scheme"] = "https"
        request.url = request.url.replace("https://api.twitter.com", sys.argv[1])
        return super().send(request, **kw)
auth = tweepy.OAuth1UserHandler("consumer-key", "consumer-secret",
                                "1699999999999999999-access-token", "access-secret")
api, client = tweepy.API(auth), tweepy.Client("app-bearer")
api.session.mount("https://", Here())
client.session.mount("https://", Here())
if sys.argv[2] == "1":
    users = list(tweepy.Cursor(api.get_followers, screen_name="alice", count=200).items())
    assert [u.id_str for u in users] == [
        str(i) for i in tweepy.Cursor(api.get_follower_ids, screen_name="alice").items()]
    for u in users:
        print(u.id_str, u.screen_name, getattr(u, "profile_banner_url", "").split("/")[-1])
else:
    alice = client.get_user(username="alice").data.id
    for u in tweepy.Paginator(client.get_users_followers, alice, max_results=1000,
                              user_fields=["profile_banner_url"]).flatten():
        print(u.id, u.username, (u.data.get("profile_banner_url") or "").split("/")[-1])
]]

describe("python3-tweepy #slow", function()
  for version = 1, 2 do
    it("lists whom and what we list by version " .. version, function()
      local python = { program = "/usr/bin/python3" }
      if daub.run({ "-c", "import tweepy" }, python).code ~= 0 then
        return pending("python3-tweepy is not installed")
      end
      local network = support.network("x")
      network:set({ people = 430 })
      local theirs = daub.run({ "-c", tweepy, network.url, tostring(version) }, python)
      assert.equal(0, theirs.code, theirs.err)
      log_in(version == 1 and "pin" or "browser")
      local source, ours = assert(sources.parse("x:alice", { api = network.url
        .. (version == 1 and "/1.1" or "") })), {}
      assert(collecting.preview({ source }, { report = support.reporter(), ask = yes,
        visit = function(_, who)
          local banner = (who.cover and who.cover.url or ""):gsub("/1500x500$", ""):match("[^/]*$")
          ours[#ours + 1] = ("%s %s %s\n"):format(who.key, who.handle, banner)
        end }))
      assert.equal(430, #ours)
      assert.equal(table.concat(ours), theirs.out)
    end)
  end
end)
