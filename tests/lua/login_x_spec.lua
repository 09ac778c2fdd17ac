-- Logging in to X by PIN and by browser, as somebody at a keyboard would, and out again.
local daub = require "support.daub"
local http = require "daub.http"
local json = require "daub.json"
local loopback = require "daub.login.loopback"
local support = require "support.collecting"
local system = require "daub.core.system"

after_each(support.clean_up)
teardown(support.stop)

local by_pin = "pin\nconsumer-key\nconsumer-secret\n\n7654321\n"
local secret = { "consumer-key", "consumer-secret", "access-secret", "first-secret",
  "1699999999999999999-access-token", "client-secret", "user-token-1", "refresh-token-1",
  "one-time-code" }

local home, env
before_each(function()
  home = support.folder()
  env = { XDG_CONFIG_HOME = home, DISPLAY = false, WAYLAND_DISPLAY = false }
end)

local function kept() return json.decode(system.read_file(home .. "/daub/accounts.json")).x end

local function hides_secrets(r)
  for _, text in ipairs(secret) do
    assert.is_nil((r.out .. r.err):find(text, 1, true), text .. " was shown")
  end
end

local function log_in(network, answers, ...)
  local r = daub.run({ "login", "x", "--api", network.url, ... }, { stdin = answers, env = env })
  hides_secrets(r)
  return r
end

-- Logs in by browser; `come_back(url)` is what happens in the browser.
local function log_in_by_browser(network, answers, come_back)
  local folder = support.folder()
  local l = assert(loopback.listen())
  local callback = l.redirect
  l:close()
  support.write(folder .. "/in", answers:format(callback))
  local process = daub.start({ daub.path, "login", "x", "--api", network.url }, folder,
    { input = folder .. "/in", env = env })
  local url
  for _ = 1, 400 do
    url = (system.read_file(folder .. "/err") or ""):match("\n  (http%S+)\n")
    if url then break end
    system.sleep(0.05)
  end
  if url then come_back(url) end
  local r = { code = process:wait(30), out = system.read_file(folder .. "/out"),
    err = system.read_file(folder .. "/err") }
  process:close()
  hides_secrets(r)
  return r
end

describe("daub login x by PIN", function()
  it("keeps a token that signs", function()
    local network = support.network("x")
    local r = log_in(network, by_pin)
    assert.equal("x:alice is logged in (daub logout x:alice ends it)\n", r.out)
    assert.matches("/oauth/authorize%?oauth_token=first%-token\n", r.err)
    assert.matches("Read and write", r.err)
    assert.same({ alice = { consumer_key = "consumer-key", consumer_secret = "consumer-secret",
      token = "1699999999999999999-access-token", token_secret = "access-secret",
      user_id = "1699999999999999999", api = network.url } }, kept())
    assert.equal("x:alice\n", daub.run({ "login" }, { env = env }).out)
  end)

  it("takes the token that the console gave, too", function()
    local network = support.network("x")
    local r = log_in(network, "\nconsumer-key\nconsumer-secret\n"
      .. "1699999999999999999-access-token\naccess-secret\n")
    assert.equal(0, r.code)
    assert.equal("access-secret", kept().alice.token_secret)
    assert.equal(0, network:asked("request_token"))
  end)

  it("says what was wrong", function()
    local network = support.network("x")
    local r = log_in(network, "pin\nconsumer-key\nwrong-secret\n\n")
    assert.equal(1, r.code)
    assert.matches("daub: login: x: .*request_token: 401 Unauthorized %(Could not auth", r.err)
    r = log_in(network, "pin\nconsumer-key\nconsumer-secret\n\n111\n")
    assert.equal(1, r.code)
    assert.matches("access_token: 401 Unauthorized", r.err)
    r = log_in(network, "pin\n\n")
    assert.equal(2, r.code)
    assert.matches("API key was expected", r.err)
    r = log_in(network, "by hand\n")
    assert.equal(2, r.code)
    assert.matches("pin or browser was expected", r.err)
    assert.equal(1, log_in(network, "pin\nconsumer-key\n").code)
    network:fault({ match = "request_token", kind = "html" })
    assert.matches("the server gave no token", log_in(network, by_pin).err)
    assert.is_nil((system.stat(home .. "/daub/accounts.json")))
  end)

  it("is not fooled about whose login it is", function()
    local network = support.network("x")
    local r = daub.run({ "login", "x:bob", "--api", network.url }, { stdin = by_pin, env = env })
    assert.equal(1, r.code)
    assert.matches("this is the login of x:alice, not of x:bob", r.err)
  end)
end)

describe("daub login x by browser", function()
  for client, answers in pairs {
    confidential = "browser\nclient-id\nclient-secret\n%s\n",
    public = "browser\nclient-id\n\n%s\n",
  } do
    it("keeps a token that can be renewed, of a client that is " .. client, function()
      local network = support.network("x")
      network:set({ public = client == "public" })
      local r = log_in_by_browser(network, answers, function(url)
        assert.matches("daub is logged in", assert(http.get(url)).body)
      end)
      assert.equal("x:alice is logged in (daub logout x:alice ends it)\n", r.out)
      local account = kept().alice
      assert.equal("user-token-1", account.bearer)
      assert.equal("refresh-token-1", account.refresh_token)
      assert.is_true(account.expires > system.time() + 7000)
      assert.equal(client == "confidential" and "client-secret" or nil, account.client_secret)
    end)
  end

  it("adds to a login by PIN", function()
    local network = support.network("x")
    assert.equal(0, log_in(network, by_pin).code)
    log_in_by_browser(network, "browser\nclient-id\nclient-secret\n%s\n", http.get)
    assert.equal("user-token-1", kept().alice.bearer)
    assert.equal("access-secret", kept().alice.token_secret)
    -- and both end
    local r = daub.run({ "logout", "x" }, { env = env })
    assert.equal("x:alice is logged out\n", r.out)
    assert.equal("", r.err)
    assert.equal(1, network:asked("oauth2/revoke"))
    assert.equal(1, network:asked("invalidate_token"))
    assert.equal("", daub.run({ "login" }, { env = env }).out)
  end)

  it("does not believe just anybody, nor go anywhere else", function()
    local network = support.network("x")
    local r = log_in_by_browser(network, "browser\nclient-id\nclient-secret\n%s\n", function(url)
      local fields = http.fields(url:match("%?(.*)$"))
      http.get(fields.redirect_uri .. "?code=stolen&state=guessed")
      http.get(fields.redirect_uri .. "?" .. http.query({ error = "access_denied",
        state = fields.state }))
    end)
    assert.equal(1, r.code)
    assert.matches("the login was refused %(access_denied%)", r.err)
    r = log_in(network, "browser\nclient-id\n\nhttp://elsewhere.test/\n")
    assert.equal(2, r.code)
    assert.matches("not an address of this machine", r.err)
  end)
end)

describe("daub logout x", function()
  it("says when X was not told, and forgets all the same", function()
    local network = support.network("x")
    log_in(network, by_pin)
    network:fault({ match = "invalidate_token", kind = "403", times = 9 })
    local r = daub.run({ "logout", "x" }, { env = env })
    assert.equal(0, r.code)
    assert.matches("the server was not told", r.err)
    assert.equal("", daub.run({ "login" }, { env = env }).out)
  end)
end)
