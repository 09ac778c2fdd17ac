-- Hanging a cover on X and taking it down again.
local accounts = require "daub.accounts"
local daub = require "support.daub"
local http = require "daub.http"
local image = require "daub.image"
local json = require "daub.json"
local publish = require "daub.publish"
local support = require "support.collecting"

after_each(support.clean_up)
teardown(support.stop)

local home
local folder = accounts.folder
before_each(function()
  home = support.folder()
  accounts.folder = function() return home .. "/daub" end
  assert(accounts.save("x", "alice", { consumer_key = "consumer-key",
    consumer_secret = "consumer-secret", token = "1699999999999999999-access-token",
    token_secret = "access-secret" }))
end)
after_each(function() accounts.folder = folder end)

local function jpeg(seed)
  return assert(publish.prepare(support.patches(seed, 600, 200), "x")).bytes
end

local function publisher(network)
  return assert(require("daub.publish.x").new({ api = network.url, http = http.session() }))
end

describe("publishing on X", function()
  it("sets, reads back, and undoes to the bytes there were", function()
    local network = support.network("x")
    local old = jpeg(1)
    local hex = old:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
    network:set({ shown = 1520354408, banners = { ["1520354408"] = hex }, takes = 1, old = true })
    local p = publisher(network)
    local state = assert(p:current())
    assert.equal(network.url .. "/profile_banners/1699999999999999999/1520354408", state.banner)
    assert(publish.save(p, state, http.session()))
    assert(publish.set(p, jpeg(2), state))
    assert.equal(state.banner:gsub("4408$", "4415"), p:current().banner)
    network:set({ takes = 0 })
    assert(publish.undo(p))
    assert.equal(old, p:fetch(p:current()))
  end)

  it("undoes to none where there was none", function()
    local network = support.network("x")
    local p = publisher(network)
    local state = assert(p:current())
    assert.is_nil(state.url)
    assert(publish.save(p, state, http.session()))
    assert(publish.set(p, jpeg(2), state))
    assert.truthy(p:current().url)
    assert(publish.undo(p))
    assert.is_nil(p:current().url)
    assert.equal(1, network:asked("remove_profile_banner"))
  end)

  it("says when X shows something else", function()
    local network = support.network("x")
    network:set({ swaps = true })
    local p = publisher(network)
    local ok, message, code = publish.set(p, jpeg(2), p:current())
    assert.is_nil(ok)
    assert.equal("mismatch", code)
    assert.matches("^x:alice: .*it shows another picture", message)
  end)

  local said = {
    ["453"] = "plan does not include this call", ["403-empty"] = "\"Read and write\"",
    ["422"] = "too large or cannot scale it", expired = "login has run out",
  }
  for kind, words in pairs(said) do
    it("is refused in one line that says what is left: " .. kind, function()
      local network = support.network("x")
      local p = publisher(network)
      local state = assert(p:current())
      network:fault({ match = "update_profile_banner", kind = kind })
      local receipt, message = p:set(jpeg(2), state)
      assert.is_nil(receipt)
      assert.matches("^x:alice: [^\n]*" .. words .. "[^\n]*x.com/settings/profile%)$", message)
    end)
  end

  it("wants a login that may", function()
    accounts.save("x", "alice", { bearer = "user-token-0" })
    local _, message, code = require("daub.publish.x").new({ http = http.session() })
    assert.equal("login", code)
    assert.matches("may only read %(run: daub login x, and choose pin%)", message)
    accounts.remove("x", "alice")
    _, message = require("daub.publish.x").new({ http = http.session() })
    assert.matches("not logged in", message)
  end)
end)

describe("daub publish --to x", function()
  it("goes all the way and back", function()
    local network = support.network("x")
    local picture = home .. "/painting.png"
    assert(image.save(picture, support.patches(3, 600, 200)))
    local function run(...)
      return daub.run({ "publish", "--to", "x", "--api", network.url, ... },
        { env = { XDG_CONFIG_HOME = home } })
    end
    local r = run(picture, "--dry-run")
    assert.equal("would replace no cover of x:alice\n", r.out)
    assert.equal(0, network:asked("update_profile_banner"))
    r = run(picture, "--yes", "--json")
    assert.equal(0, r.code)
    assert.equal("done", json.decode(r.out:match("([^\n]+)\n$")).event)
    local shown = image.decode(http.get(publisher(network):current().url).body)
    assert.same({ 500, 1500, 3 }, shown.shape)
    assert.equal("x:alice: the old cover is back\n", run("--undo", "--yes").out)
    assert.is_nil(publisher(network):current().url)
    assert.equal(1, run("--undo", "--yes").code)
  end)
end)
