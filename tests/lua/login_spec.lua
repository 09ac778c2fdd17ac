-- Accounts, secrets and what logging in by a browser needs.
local accounts = require "daub.accounts"
local daub = require "support.daub"
local http = require "daub.http"
local json = require "daub.json"
local login = require "daub.login"
local loopback = require "daub.login.loopback"
local secrets = require "daub.secrets"
local support = require "support.collecting"
local system = require "daub.core.system"

after_each(support.clean_up)

local original = accounts.folder
local function scratch()
  local folder = support.folder()
  accounts.folder = function() return folder end
  return folder
end
after_each(function() accounts.folder = original end)

describe("accounts", function()
  it("are kept where nobody else can read them, several of a network", function()
    local folder = scratch()
    assert(accounts.save("bluesky", "alice.test", { token = "first-token", expires = 5 }))
    assert(accounts.save("mastodon", "alice@one.test", { token = "second-token" }))
    assert(accounts.save("mastodon", "bob@two.test", { token = "third-token" }))
    assert.equal("600", ("%o"):format(system.stat(folder .. "/accounts.json").mode % 512))
    assert.equal("first-token", accounts.get("bluesky").token)
    local account = accounts.get("mastodon", "ALICE@one.test")
    assert.same({ network = "mastodon", name = "alice@one.test", token = "second-token" }, account)
    assert.equal("third-token", accounts.token("mastodon", "two.test"))
    local _, message, code = accounts.get("mastodon")
    assert.equal("which", code)
    assert.matches("mastodon:alice@one.test, mastodon:bob@two.test", message)
    assert(accounts.remove("bluesky", "alice.test"))
    _, message, code = accounts.get("bluesky")
    assert.equal("login", code)
    assert.matches("daub login bluesky", message)
    assert.equal(2, #accounts.list())
  end)

  it("are renewed shortly before they expire, and kept", function()
    scratch()
    local asked = 0
    local function refresh(account)
      asked = asked + 1
      assert.equal("refresh-me", account.refresh_token)
      return { token = "newer-token", expires = system.time() + 7200 }
    end
    accounts.save("x", "alice", { token = "older-token", refresh_token = "refresh-me",
      expires = system.time() + 30 })
    local account = assert(accounts.fresh(accounts.get("x"), refresh))
    assert.equal("newer-token", account.token)
    account = assert(accounts.fresh(accounts.get("x"), refresh))
    assert.equal("newer-token", account.token)
    assert.equal("refresh-me", account.refresh_token)
    assert.equal(1, asked)
  end)

  it("of several processes do not lose each other", function()
    local folder = support.folder()
    local processes = {}
    for i = 1, 6 do
      processes[i] = daub.start({ daub.path, "-e",
        ("assert(require('daub.accounts').save('x', 'n%d', {token = 'token-%d'}))"):format(i, i) },
        folder, { env = { XDG_CONFIG_HOME = folder } })
    end
    for _, process in ipairs(processes) do
      assert.equal(0, process:wait(20))
      process:close()
    end
    local file = json.decode(system.read_file(folder .. "/daub/accounts.json"))
    for i = 1, 6 do assert.equal("token-" .. i, file.x["n" .. i].token) end
  end)
end)

describe("secrets", function()
  it("are shown nowhere", function()
    secrets.add("abcdef-123456")
    assert.equal("a … b …", secrets.redact("a abcdef-123456 b abcdef-123456"))
    secrets.add("abcdef-123456-and-more")
    assert.equal("…!", secrets.redact("abcdef-123456-and-more!"))
    secrets.add("short")
    assert.equal("short", secrets.redact("short"))
  end)

  it("do not pass through a failing program", function()
    local folder = support.folder()
    support.write(folder .. "/daub/accounts.json", '{"x": {"a": {"token": "topsecret-99"}}}')
    system.chmod(folder .. "/daub/accounts.json", 384)
    local r = daub.run({ "-e", [[
      local token = require("daub.accounts").get("x").token
      local report = require("daub.progress").reporter { json = true }
      report:note("asking with " .. token)
      report:event { event = "failed", with = token }
      require("daub.cli").fail("refused: " .. token)]] }, { env = { XDG_CONFIG_HOME = folder } })
    assert.equal(1, r.code)
    assert.matches("daub: refused: …", r.err)
    assert.is_nil((r.out .. r.err):find("topsecret", 1, true))
  end)

  it("leave no core dump", function()
    local r = daub.run({ "-e", [[
      require("daub.secrets").add("topsecret-99")
      for line in io.lines("/proc/self/limits") do
        if line:find("core file") then print((line:gsub("%s+", " "))) end
      end]] })
    assert.matches("Max core file size 0 0", r.out)
  end)
end)

-- Asks our own listener from another process, as a browser would.
local function browser(folder, url)
  return daub.start({ daub.path, "-e",
    ("local r = assert(require('daub.http').get(%q)) print(r.body)"):format(url) }, folder)
end

describe("a browser that comes back", function()
  it("brings the code, if it carries our state", function()
    local folder = support.folder()
    local l = assert(loopback.listen())
    local state = loopback.state()
    assert.is_true(#state >= 32 and state ~= loopback.state())
    local process = browser(folder,
      l.redirect .. "?" .. http.query({ code = "a b/c", state = state }))
    local fields = assert(l:wait({ state = state, seconds = 20 }))
    assert.equal("a b/c", fields.code)
    assert.equal(0, process:wait(10))
    process:close()
    assert.matches("daub is logged in", system.read_file(folder .. "/out"))
    l:close()
  end)

  it("is not believed otherwise, and may bring a refusal", function()
    local folder = support.folder()
    local l = assert(loopback.listen())
    local process = browser(folder, l.redirect .. "?code=stolen&state=guessed")
    local _, _, code = l:wait({ state = "ours", seconds = 1 })
    assert.equal("timeout", code)
    process:close()
    process = browser(folder, l.redirect .. "?error=access_denied&state=ours")
    local _, message, why = l:wait({ state = "ours", seconds = 20 })
    assert.equal("the login was refused (access_denied)", message)
    assert.equal("login", why)
    process:close()
    l:close()
  end)

  it("is tied to who began by PKCE", function() -- RFC 7636, appendix B
    assert.equal("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
      loopback.challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").challenge)
    assert.is_true(#loopback.pkce().verifier >= 43)
  end)
end)

describe("daub login", function()
  it("lists who is logged in, and logs out", function()
    local folder = support.folder()
    support.write(folder .. "/daub/accounts.json", '{"nowhere": {"alice": {"token": "topsecret"}}}')
    system.chmod(folder .. "/daub/accounts.json", 384)
    local env = { env = { XDG_CONFIG_HOME = folder } }
    assert.equal("nowhere:alice\n", daub.run({ "login" }, env).out)
    assert.equal("nowhere:alice is logged out\n", daub.run({ "logout", "nowhere" }, env).out)
    assert.equal("", daub.run({ "login" }, env).out)
    assert.equal(1, daub.run({ "logout", "nowhere" }, env).code)
    assert.equal(2, daub.run({ "login", "nowhere" }, env).code)
  end)

  it("knows a network by its file", function()
    for _, name in ipairs(login.networks) do
      local module = assert(login.network(name))
      assert.is_function(module.login)
      assert.is_true(#module.help >= 1)
    end
    assert.same({ "bluesky", "alice.test" }, { accounts.split("bluesky:@alice.test") })
  end)
end)
