-- Bluesky for those who are logged in: app passwords, tokens that expire, hanging a banner and
-- putting the old one back with everything else in the profile as it was.
local accounts = require "daub.accounts"
local bluesky = require "daub.api.bluesky"
local cid = require "daub.cid"
local daub = require "support.daub"
local http = require "daub.http"
local image = require "daub.image"
local login = require "daub.login.bluesky"
local person = require "support.person"
local publish = require "daub.publish"
local publisher = require "daub.publish.bluesky"
local publishing = require "support.publishing"
local support = require "support.collecting"
local system = require "daub.core.system"

local folder, appview, directory = accounts.folder, bluesky.appview, bluesky.directory
local scratch, network, session
before_each(function()
  scratch = support.folder()
  accounts.folder = function() return scratch .. "/daub" end
  network = support.network("bluesky")
  session = http.session({ max_wait = 5 })
end)
after_each(function()
  session:close()
  accounts.folder, bluesky.appview, bluesky.directory = folder, appview, directory
  support.clean_up()
end)
teardown(support.stop)

local password = "kq3x-7mzr-tw2p-vb5n"

local function log_in(ui)
  return person.log_in("bluesky", ui or person.new { password },
    { who = "alice.test", api = network.url .. "/", http = session })
end

local function jpeg(seed) return image.encode(support.patches(seed), "jpeg") end

-- The profile as it is now: the text of its record.
local function profile()
  return assert(http.get(network.url .. "/xrpc/com.atproto.repo.getRecord?" .. http.query {
    repo = "alice.test", collection = "app.bsky.actor.profile", rkey = "self" })).body
end

local function new() return assert(publisher.new({ http = session })) end

describe("logging in to Bluesky", function()
  it("takes an app password and keeps what comes of it", function()
    local ui = person.new { "@Alice.test", password }
    local name, fields = login.login(ui, { api = network.url, http = session })
    assert.equal("alice.test", name)
    assert.same({ token = "access-token-1", refresh_token = "refresh-token-1",
      did = "did:plc:alicealicealicealicealic", pds = network.url }, fields)
    assert.equal(1, #ui.secret_prompts)
  end)

  it("finds out on which server an account lives", function()
    bluesky.appview, bluesky.directory = network.url, network.url .. "/directory"
    local name, fields = login.login(person.new { password },
      { who = "alice.test", http = session })
    assert.equal("alice.test", name)
    assert.equal(network.url, fields.pds)
    bluesky.directory = "https://127.0.0.1:1" -- a directory nobody answers at
    local _, message = login.login(person.new { password }, { who = "alice.test",
      http = http.session({ retries = 0 }) })
    assert.matches("127.0.0.1:1", message)
    _, message = login.login(person.new { password }, { who = "nobody.test", http = session })
    assert.equal("nobody.test: no such account (check the handle's spelling)", message)
  end)

  it("sends no password that is no app password", function()
    local _, message, code = log_in(person.new { "my own password" })
    assert.matches("no app password .+ it was not sent", message)
    assert.equal("login", code)
    assert.equal(0, network:asked("createSession"))
  end)

  it("says what is wrong", function()
    local _, message = log_in(person.new { "wron-gwro-ngwr-ongw" })
    assert.equal("the handle or the app password is wrong", message)
    local _, _, code = login.login(person.new {}, { who = "alice", http = session })
    assert.equal("usage", code)
    network:set({ odd_token = "a\r\nCookie: b" })
    _, message = log_in()
    assert.matches("the answer holds no tokens", message)
    network:fault({ match = "createSession", kind = "html" })
    _, message = log_in()
    assert.matches("JSON was expected", message)
    network:fault({ match = "createSession", kind = "429", seconds = 700 })
    _, message = log_in()
    assert.matches("max_wait allows", message)
  end)

  it("is undone at the server, too", function()
    log_in()
    local account = accounts.get("bluesky")
    assert.is_true(login.logout(account, { http = session }))
    local _, message = login.logout(account, { http = session })
    assert.matches("ExpiredToken", message)
  end)
end)

describe("hanging a banner on Bluesky", function()
  it("changes nothing else in the profile, and can be undone", function()
    log_in()
    local p, before = new(), profile()
    assert.is_truthy(before:find('"values": []', 1, true))
    local bytes = jpeg(1)
    assert(publishing.hang(p, bytes))
    local after = profile()
    assert.is_truthy(after:find(cid.of(bytes), 1, true))
    assert.is_truthy(after:find('"followers": 12345678901234567890', 1, true))
    assert.is_truthy(after:find('"pinned": []', 1, true))
    -- another one over it, then one step back
    assert(publishing.hang(p, jpeg(2)))
    assert(publish.undo(p))
    assert.equal(after, profile())
    assert(publish.undo(p))
    assert.equal(before, profile())
  end)

  it("makes a profile where there is none, and needs no banner to go back to", function()
    network:set({ profile = false })
    log_in()
    local p = new()
    assert.is_nil(p:current().url)
    assert(publishing.hang(p, jpeg(3)))
    assert(publish.undo(p))
    assert.matches('"value": {"$type": "app.bsky.actor.profile"}', profile(), 1, true)
  end)

  it("renews a token that has expired, in the midst of things", function()
    log_in()
    network:set({ session = 7 }) -- whatever was given out before has expired …
    assert(accounts.save("bluesky", "alice.test", { did = "did:plc:alicealicealicealicealic",
      pds = network.url, token = "access-token-6", refresh_token = "refresh-token-7" }))
    local p = new()
    assert(publishing.hang(p, jpeg(4)))
    assert.equal(1, network:asked("refreshSession"))
    assert.equal("access-token-8", accounts.get("bluesky").token)
    network:set({ session = 20 }) -- … and now the renewing token has, too
    local _, message, code = p:current()
    assert.equal("login", code)
    assert.equal("bluesky:alice.test: the login has expired (run: daub login bluesky:alice.test)",
      message)
  end)

  it("does not overwrite what somebody else changed meanwhile", function()
    log_in()
    local p = new()
    local state = assert(p:current())
    network:set({ profile = { ["$type"] = "app.bsky.actor.profile", displayName = "Alicia" } })
    local _, message, code = p:set(jpeg(5), state)
    assert.equal("conflict", code)
    assert.matches("changed meanwhile, nothing was set", message)
    assert.is_nil(profile():find("banner", 1, true))
    -- undoing keeps a name that was changed in between
    assert(publishing.hang(p, jpeg(6)))
    network:set({ profile = { ["$type"] = "app.bsky.actor.profile", displayName = "Alix" } })
    assert(publish.undo(p))
    assert.is_truthy(profile():find("Alix", 1, true))
  end)

  it("says in one line what goes wrong", function()
    log_in()
    local p = new()
    local state = assert(p:current())
    local said = { expired = "daub login bluesky:alice.test", ["403"] = "403 Forbidden",
      html = "JSON was expected", ["500"] = "500", errors = "stored other bytes" }
    for kind, words in pairs(said) do
      network:fault({ match = "uploadBlob", kind = kind, times = 2 })
      if kind == "expired" then network:fault({ match = "refreshSession", kind = kind }) end
      local receipt, message = p:set(jpeg(7), state)
      assert.is_nil(receipt)
      assert.matches("^[^\n]*" .. words, message)
      network = support.network("bluesky")
      log_in()
      p = new()
    end
    local receipt, message = p:set("GIF89a not a banner", state)
    assert.is_nil(receipt)
    assert.matches("a JPEG or a PNG", message)
    assert.is_nil(profile():find("banner", 1, true))
  end)

  it("notices when the server shows another picture", function()
    log_in()
    local p = new()
    local bytes = jpeg(8)
    local receipt = assert(p:set(bytes, assert(p:current())))
    assert(p:verify(receipt))
    network:fault({ match = "getBlob", kind = "webp" })
    local ok, message = p:verify(receipt)
    assert.is_nil(ok)
    assert.equal("the server gives other bytes", message)
    network:set({ profile = { ["$type"] = "app.bsky.actor.profile" } })
    ok, message = p:verify(receipt)
    assert.is_nil(ok)
    assert.equal("another banner is in the profile", message)
  end)
end)

describe("the programs, on Bluesky", function()
  it("log in, publish, undo and log out without showing a secret", function()
    local env = { XDG_CONFIG_HOME = scratch }
    local picture = scratch .. "/p.png"
    assert(image.save(picture, support.patches(9)))
    local function run(stdin, ...)
      local r = daub.run({ ... }, { env = env, stdin = stdin })
      assert.is_nil((r.out .. r.err):find("%-token%-%d"))
      assert.is_nil((r.out .. r.err):find(password, 1, true))
      return r
    end
    local r = run(password .. "\n", "login", "bluesky:alice.test", "--api", network.url)
    assert.matches("^bluesky:alice.test is logged in", r.out)
    r = run("", "publish", picture, "--to", "bluesky", "--yes")
    assert.same({ 0, "" }, { r.code, r.err:match("daub: [^\n]*") or "" })
    assert.matches("set and verified", r.out)
    assert.is_truthy(profile():find('"banner"', 1, true))
    assert.equal("384", ("%d"):format(system.stat(scratch .. "/daub/accounts.json").mode % 512))
    r = run("", "publish", "--undo", "--to", "bluesky:alice.test", "--yes")
    assert.equal("bluesky:alice.test: the old cover is back\n", r.out)
    assert.is_nil(profile():find('"banner"', 1, true))
    r = run("", "logout", "bluesky")
    assert.equal("bluesky:alice.test is logged out\n", r.out)
    r = run("", "publish", picture, "--to", "bluesky", "--yes")
    assert.equal(1, r.code)
    assert.matches("daub: publish: bluesky: not logged in %(run: daub login bluesky%)", r.err)
  end)
end)
