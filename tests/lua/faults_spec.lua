-- Every network through every fault, from the start and half way: one line says what is wrong, no
-- secret is in it, and nothing is lost. A collection goes on to what an undisturbed one has; an
-- account shows its old cover again.
local accounts = require "daub.accounts"
local http = require "daub.http"
local look = require "daub.publish.look"
local publish = require "daub.publish"
local publishing = require "support.publishing"
local support = require "support.collecting"
local system = require "daub.core.system"
local youtube = require "daub.api.youtube"

local limits = { "429", "429-date", "429-iso", "429-epoch", "429-delta", "429-x", "429-misskey",
  "429-bare", "403-quota", "403-usage" }
local failures = { "429", "503", "500", "403", "gone", "html", "type", "cut", "redirect",
  "elsewhere", "bomb", "expired", "protected", "errors", "hidden" }
local delays = { "slow", "drip" }
local passing = { "429", "429-date", "429-iso", "429-epoch", "429-delta", "429-x", "429-misskey",
  "503", "500", "type", "cut", "slow", "drip" } -- when it happens once

-- What is where: a fixture, the account that is logged in, what of it is a list, not a picture.
local secret = "kq3x7mzrtw2pvb5n"
local function token_of(network)
  network:set { token = secret, session = 1, granted = { [secret] =
    { "read:accounts", "read:lists", "profile", "write:accounts" } } }
end
local cases = {
  bluesky = { spec = "bluesky:alice.test", lists = "/xrpc/app.bsky", account = "alice.test",
    fields = { did = "did:plc:alicealicealicealicealic", token = "access-token-1",
      refresh_token = "refresh-token-1" },
    prepare = function(network) network:set { session = 1 } end },
  mastodon = { spec = "mastodon:alice@one.test", lists = "/api/", account = "alice@one.test",
    fields = { token = secret }, prepare = token_of },
  gotosocial = { spec = "mastodon:alice@one.test", lists = "/api/", account = "alice@one.test",
    fields = { token = secret }, prepare = token_of, fixture = "mastodon",
    arguments = { "--dialect", "gotosocial" } },
  misskey = { spec = "misskey:alice@one.test", lists = "/api/", account = "alice@one.test",
    fields = { token = secret }, prepare = function(network)
      network:set { granted = { [secret] = "read:account,write:account,write:drive" } }
    end },
  ["x by version 1.1"] = { spec = "x:alice", lists = "/1.1/", account = "alice", fixture = "x",
    version = "/1.1", fields = { consumer_key = "consumer-key", token_secret = "access-secret",
      consumer_secret = "consumer-secret", token = "1699999999999999999-access-token" } },
  ["x by version 2"] = { spec = "x:alice", lists = "/2/", account = "alice", fixture = "x",
    fields = { bearer = "user-token-0", refresh_token = "refresh-token-0", client_id = "client-id",
      client_secret = "client-secret", expires = system.time() + 7200 } },
  youtube = { spec = "youtube:@alice", lists = "/youtube/", account = "alice", fields = {
    token = "the-access-token", refresh_token = "the-refresh-token", client_id = "the-client",
    client_secret = "the-secret", expires = system.time() + 7200 } },
  facebook = { spec = "facebook:me", lists = "/me/", account = "4242",
    arguments = { "--dialect", "old" }, fields = { token = "the-access-token" } },
}
local collected = { "bluesky", "mastodon", "gotosocial", "misskey", "x by version 1.1",
  "x by version 2", "youtube", "facebook" }
local hung = { "bluesky", "mastodon", "gotosocial", "misskey", "x by version 1.1", "youtube" }

-- Time passes as fast as anybody sleeps, and repeating is soon.
local kept = { folder = accounts.folder, key = youtube.key, session = http.session,
  now = system.now, sleep = system.sleep }
local skipped
before_each(function()
  local scratch = support.folder()
  skipped = 0
  accounts.folder = function() return scratch .. "/daub" end
  youtube.key = function() return "the-api-key" end
  http.session = function(o)
    o = o or {}
    o.backoff = 0.02
    return kept.session(o)
  end
  system.now = function() return kept.now() + skipped end
  system.sleep = function(seconds) skipped = skipped + seconds end
end)
after_each(function()
  accounts.folder, youtube.key, http.session = kept.folder, kept.key, kept.session
  system.now, system.sleep = kept.now, kept.sleep
  support.clean_up()
end)
teardown(support.stop)

-- The network as if new, and somebody logged in.
local function start(name)
  local case = cases[name]
  local fixture = case.fixture or name
  local network = support.network(fixture, case.arguments)
  network:set { people = 24 }
  if case.prepare then case.prepare(network) end
  local fields = { api = network.url, pds = network.url }
  for field, value in pairs(case.fields) do fields[field] = value end
  assert(accounts.save(fixture, case.account, fields))
  return network, case
end

local function assert_line(message, case)
  assert.is_string(message)
  assert.is_nil(message:find("[%c]"), message)
  for field, value in pairs(case.fields) do
    if field:find("token") or field:find("secret") or field == "bearer" then
      assert.is_nil(message:find(value, 1, true), message)
    end
  end
end

for _, name in ipairs(collected) do
  describe("collecting #slow from " .. name, function()
    local function collect(path, network, case)
      return support.collect(path, case.spec, { api = network.url .. (case.version or ""),
        max_wait = 4, ask = function() return true end })
    end

    local undisturbed
    before_each(function()
      if undisturbed then return end
      local path = support.folder() .. "/c"
      local network, case = start(name)
      assert.same({}, collect(path, network, case).failures)
      undisturbed = support.contents(path)
    end)

    local function assert_whole(path) assert.is_true(undisturbed == support.contents(path)) end

    for _, kind in ipairs { "webp", unpack(failures) } do
      for _, after in ipairs { 0, 1 } do
        it(("goes on when it is well again: %s after %d"):format(kind, after), function()
          local network, case = start(name)
          local path = support.folder() .. "/c"
          network:fault { match = case.lists, kind = kind, after = after, times = 999,
            seconds = 700 }
          local summary = collect(path, network, case)
          assert.is_true(#summary.failures <= 1)
          if summary.failures[1] then
            assert_line(summary.failures[1], case)
            assert.equal(case.spec .. ": ", summary.failures[1]:sub(1, #case.spec + 2))
          end
          network:heal()
          assert.same({}, collect(path, network, case).failures)
          assert_whole(path)
        end)
      end
    end

    for _, kind in ipairs(limits) do
      it("gives up, to go on later: " .. kind, function()
        local network, case = start(name)
        local path = support.folder() .. "/c"
        network:fault { match = case.lists, kind = kind, times = 999, seconds = 700 }
        assert_line(collect(path, network, case).failures[1], case)
        network:heal()
        assert.same({}, collect(path, network, case).failures)
        assert_whole(path)
      end)
    end

    for _, kind in ipairs(passing) do
      it("does not mind what passes: " .. kind, function()
        local network, case = start(name)
        local path = support.folder() .. "/c"
        network:fault { match = case.lists, kind = kind }
        assert.same({}, collect(path, network, case).failures)
        assert_whole(path)
      end)
    end
  end)
end

for _, name in ipairs(hung) do
  describe("hanging #slow on " .. name, function()
    local function new(network, case)
      return assert(publish.network(case.fixture or name)).new { who = case.account,
        api = network.url, http = http.session { max_wait = 0, retries = 0 } }
    end

    local function picture(seed, case)
      return assert(publish.prepare(support.patches(seed, 600, 200), case.fixture or name)).bytes
    end

    local function shown(p)
      local state = assert(p:current())
      return p.fetch and assert(p:fetch(state)) or assert(http.get(state.url)).body
    end

    -- Everything that is asked for after the first `after` requests fails. How many there were, and
    -- what went wrong.
    local function survive(kind, after)
      local network, case = start(name)
      local old = picture(1, case)
      assert(publishing.hang(assert(new(network, case)), old))
      network:forget()
      network:fault { match = ".", kind = kind, after = after, times = 999, seconds = 700 }
      local p, message = new(network, case)
      local ok, saved
      if p then ok, message, saved = publishing.hang(p, picture(2, case)) end
      if not ok then assert_line(message, case) end
      local asked = network:asked(".")
      network:heal()
      p = assert(new(network, case))
      if saved then assert(publish.undo(p)) end
      assert(look.alike(old, shown(p)), "after " .. after)
      return asked, message
    end

    for _, kind in ipairs(failures) do
      it("leaves the old cover, or brings it back: " .. kind, function()
        local after = 0
        while after < math.min(20, (survive(kind, after))) do after = after + 1 end
      end)
    end

    for _, kind in ipairs(delays) do
      it("does not mind what is " .. kind, function()
        local _, message = survive(kind, 0)
        assert.is_nil(message)
      end)
    end
  end)
end
