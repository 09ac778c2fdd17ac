-- Mastodon and GoToSocial for those who are logged in: OAuth by a browser here or elsewhere, lists,
-- headers hung and taken down; and what every fault says.
local accounts = require "daub.accounts"
local collect = require "daub.collect.run"
local daub = require "support.daub"
local http = require "daub.http"
local image = require "daub.image"
local json = require "daub.json"
local login = require "daub.login.mastodon"
local person = require "support.person"
local publish = require "daub.publish"
local publisher = require "daub.publish.mastodon"
local sources = require "daub.collect.sources"
local publishing = require "support.publishing"
local support = require "support.collecting"
local system = require "daub.core.system"

local dialects = { "mastodon", "gotosocial" }
local folder, getenv = accounts.folder, os.getenv
local scratch, network, session, display

local function start(dialect)
  network = support.network("mastodon", { "--dialect", dialect })
end

before_each(function()
  scratch, display = support.folder(), nil
  accounts.folder = function() return scratch .. "/daub" end
  -- luacheck: push ignore 122
  os.getenv = function(name)
    if name == "DISPLAY" or name == "WAYLAND_DISPLAY" then return display end
    return getenv(name)
  end
  -- luacheck: pop
  session = http.session({ max_wait = 5, retries = 0 })
end)
after_each(function()
  session:close()
  accounts.folder, os.getenv = folder, getenv -- luacheck: ignore 122
  support.clean_up()
end)
teardown(support.stop)

-- Presses "Allow" on the page at that address; what the server gives for it.
local function allow(url)
  return assert(http.get(url:gsub("/oauth/authorize", "/allow"), { method = "POST" })).json()
end

-- Somebody who allows it and types the code in.
local function reader()
  return person.new { function(self) return allow(self.opened).code end }
end

local function log_in(ui)
  return person.log_in("mastodon", ui or reader(),
    { who = "alice@one.test", api = network.url, http = session })
end

local function picture(seed, format)
  return image.encode(support.patches(seed), format or "jpeg")
end

local function shown()
  return assert(assert(publisher.new({ http = session })):current()).url
end

describe("logging in to Mastodon", function()
  for _, dialect in ipairs(dialects) do
    it("by a code that is typed in, and out again: " .. dialect, function()
      start(dialect)
      local ui = reader()
      assert.equal("alice@one.test", (log_in(ui)))
      assert.equal(1, #ui.secret_prompts)
      assert.matches("redirect_uri=urn%%3Aietf%%3Awg%%3Aoauth%%3A2.0%%3Aoob", ui.opened)
      assert.matches("code_challenge_method=S256", ui.opened)
      assert.matches("scope=read%%3Aaccounts%%20read%%3Alists%%20write%%3Aaccounts", ui.opened)
      local account = accounts.get("mastodon")
      assert.equal(network.url, account.api)
      assert.matches("^user%-token%-", account.token)
      assert.is_true(login.logout(account, { http = session }))
      local p = assert(publisher.new({ http = session }))
      local _, message, code = p:current()
      assert.equal("login", code)
      assert.matches("no longer valid.*daub login mastodon:alice@one.test", message)
    end)
  end

  it("by a browser on the same machine", function()
    start("mastodon")
    display = ":0"
    local browser
    local ui = person.new({}, { open = function(url)
      browser = daub.start({ daub.path, "-e", ("assert(require('daub.http').get(%q))"):format(
        allow(url).location) }, scratch)
    end })
    assert.equal("alice@one.test", (log_in(ui)))
    assert.matches("redirect_uri=http%%3A%%2F%%2F127.0.0.1%%3A%d+%%2F", ui.opened)
    assert.equal(0, #ui.prompts)
    assert.equal(0, browser:wait(10))
    browser:close()
  end)

  it("says what is wrong", function()
    start("mastodon")
    local _, message = log_in(person.new { "auth-code-guessed" })
    assert.equal("the server does not know that code (copy the whole of it, and soon)", message)
    _, message = log_in(person.new {})
    assert.matches("no answer came", message)
    network:set({ username = "bob" })
    _, message = log_in()
    assert.matches("logged in as bob, not as alice", message)
    local _, _, code = login.login(person.new { "alice" }, { http = session })
    assert.equal("usage", code)
    network:fault({ match = "api/v1/apps", kind = "html" })
    _, message = log_in()
    assert.matches("JSON was expected", message)
    network:fault({ match = "api/v1/apps", kind = "errors" })
    _, message = log_in()
    assert.matches("takes no apps", message)
  end)
end)

describe("what only members see", function()
  it("is collected with the login", function()
    start("gotosocial")
    log_in()
    network:set({ token = "needed" })
    local summary, counts = support.collect(scratch .. "/c", "mastodon:alice@one.test",
      { api = network.url })
    assert.same({}, summary.failures)
    assert.equal(130, counts.people)
    network:set({ granted = {} }) -- revoked meanwhile
    summary = support.collect(scratch .. "/c", "mastodon:alice@one.test",
      { api = network.url })
    assert.matches("the login in use was refused; run: daub login", summary.failures[1])
  end)

  for _, dialect in ipairs(dialects) do
    it("are one's lists: " .. dialect, function()
      start(dialect)
      local spec = "mastodon:alice@one.test?list=friends"
      local alone = support.collect(scratch .. "/a", spec, { api = network.url })
      assert.matches("only its owner can see a list", alone.failures[1])
      log_in()
      local summary, counts = support.collect(scratch .. "/a", spec, { api = network.url })
      assert.same({}, summary.failures)
      assert.equal(120, counts.people)
      assert.equal(dialect == "mastodon" and 2 or 3, network:asked("/lists/12/"))
      summary = support.collect(scratch .. "/a", "mastodon:alice@one.test?list=Foes",
        { api = network.url })
      assert.matches("no list of that name %(there are: Others, Friends%)", summary.failures[1])
    end)
  end
end)

describe("hanging a header", function()
  it("is verified by its looks, and can be undone: mastodon", function()
    start("mastodon")
    log_in()
    local p = assert(publisher.new({ http = session }))
    assert(publishing.hang(p, picture(1)))
    local first = shown()
    assert.matches("/own/%x+$", first)
    assert(publishing.hang(p, picture(2)))
    assert.not_equal(first, shown())
    assert(publish.undo(p))
    assert.equal(picture(1), assert(http.get(shown())).body)
    assert(publish.undo(p))
    assert.is_nil(shown())
  end)

  it("does not keep saying what the old one showed", function()
    start("mastodon")
    log_in()
    local p = assert(publisher.new({ http = session }))
    assert(publishing.hang(p, picture(1)))
    network:set({ description = "sharks in the sea" })
    assert(publishing.hang(p, picture(2)))
    assert.is_nil(p:current().description)
    assert(publish.undo(p))
    assert.equal("sharks in the sea", p:current().description)
  end)

  it("where a server lets no program take one down, says so: gotosocial", function()
    start("gotosocial")
    log_in()
    local p = assert(publisher.new({ http = session }))
    assert(publishing.hang(p, picture(1)))
    assert(publishing.hang(p, picture(2, "png")))
    assert(publish.undo(p))
    local _, message = publish.undo(p)
    assert.matches("lets no program take a header down: do it in the account's settings", message)
    assert.is_truthy(shown())
  end)

  it("notices when another picture shows", function()
    start("mastodon")
    log_in()
    local p = assert(publisher.new({ http = session }))
    local receipt = assert(p:set(picture(1), {}))
    assert.is_true(p:verify(receipt))
    network:fault({ match = "/own/", kind = "webp" })
    local _, message, code = p:verify(receipt)
    assert.same({ "it shows another picture", "mismatch" }, { message, code })
    network:fault({ match = "/own/", kind = "gone" })
    _, _, code = p:verify(receipt)
    assert.equal("pending", code)
    assert(p:set(picture(2), {}))
    _, _, code = p:verify(receipt)
    assert.equal("pending", code)
  end)

  it("says in one line what goes wrong", function()
    start("mastodon")
    log_in()
    local p = assert(publisher.new({ http = session }))
    local said = { expired = "daub login mastodon:alice@one.test", ["500"] = "500",
      html = "JSON was expected", ["429-iso"] = "max_wait", cut = "transfer closed" }
    for kind, words in pairs(said) do
      network:fault({ match = "update_credentials", kind = kind, seconds = 700 })
      local receipt, message = p:set(picture(3), {})
      assert.is_nil(receipt)
      assert.matches("^mastodon:alice@one.test: [^\n]*$", message)
      assert.is_truthy(message:find(words, 1, true), message)
      session:close()
      session = http.session({ max_wait = 5, retries = 0 })
      p = assert(publisher.new({ http = session }))
    end
    local receipt, message = p:set("no picture at all", {})
    assert.is_nil(receipt)
    assert.matches("Validation failed: Header content type is invalid", message)
  end)
end)

describe("followers on Mastodon", function()
  it("cost 13 requests a thousand and one to find the account", function()
    start("mastodon")
    network:set({ people = 1000 })
    local seen = 0
    local source = assert(sources.parse("mastodon:alice@one.test", { api = network.url }))
    assert(collect.preview({ source }, { report = support.reporter(),
      visit = function() seen = seen + 1 end }))
    local counts = network:counts()
    assert.equal(1000, seen)
    assert.equal(13, counts["GET /api/v1/accounts/{id}/{listing}"])
    assert.equal(1, counts["GET /api/v1/accounts/lookup"])
    assert.equal(14, network:asked("."))
  end)

  local said = {
    errors = "no list came %(Record not found%)", hidden = "hides the list %(130 followers",
    expired = "with a login only", protected = "with a login only", ["403"] = "with a login only",
    gone = "no such account", html = "JSON was expected", elsewhere = "redirect", bomb = "bytes",
    ["repeat"] = "same page again",
  }
  for kind, words in pairs(said) do
    it("end with one line: " .. kind, function()
      start("mastodon")
      network:fault({ match = "/followers", kind = kind, times = 9 })
      local summary = support.collect(scratch .. "/c", "mastodon:alice@one.test",
        { api = network.url })
      assert.matches("^mastodon:alice@one.test: [^\n]*" .. words, summary.failures[1])
    end)
  end

  for _, kind in ipairs { "429-iso", "500", "cut", "drip", "type", "redirect", "slow", "503 #slow",
    "429 #slow", "429-date #slow", "429-bare #slow" } do
    it("come all the same: " .. kind, function()
      kind = kind:gsub(" .*", "")
      start("mastodon")
      network:fault({ match = "/followers", kind = kind })
      local summary, counts = support.collect(scratch .. "/c", "mastodon:alice@one.test",
        { api = network.url, limit = 20 })
      assert.same({}, summary.failures)
      assert.equal(20, counts.people)
    end)
  end
end)

describe("the programs, on Mastodon", function()
  it("show an address, take the code, and show no secret", function()
    start("mastodon")
    local process = assert(system.spawn({ "env", "-u", "DISPLAY", "-u", "WAYLAND_DISPLAY",
      "XDG_CONFIG_HOME=" .. scratch, daub.path, "login", "mastodon:alice@one.test", "--api",
      network.url }, { stdin = "pipe", stdout = "pipe", stderr = "pipe" }))
    local told = ""
    repeat
      local piece = process:read_error(20)
      told = told .. (piece or "")
      local url = told:match("(http%S+/oauth/authorize%S+)%s")
      assert(piece and piece ~= "", told)
    until url and told:find("The code that is shown there: ", 1, true)
    local code = allow(told:match("http%S+/oauth/authorize%S+")).code
    process:write(code .. "\n")
    process:close_stdin()
    assert.equal(0, process:wait(20))
    told = told .. (process:read_error(1) or "") .. (process:read(1) or "")
    process:close()
    assert.matches("mastodon:alice@one.test is logged in", told)
    local token = accounts.get("mastodon").token
    assert.is_nil(told:find(token, 1, true) or told:find(code, 1, true))
    local r = daub.run({ "logout", "mastodon" }, { env = { XDG_CONFIG_HOME = scratch } })
    assert.same({ "mastodon:alice@one.test is logged out\n", "" }, { r.out, r.err })
    assert.is_nil((accounts.get("mastodon")))
  end)
end)

-- What python3-mastodon, somebody else's client, lists.
local LISTING = [[
import json, sys
from mastodon import Mastodon
client = Mastodon(api_base_url=sys.argv[1], version_check_mode="none", ratelimit_method="throw",
                  access_token=sys.argv[2] or None)
account = client.account_lookup("alice")
listed = getattr(client, "account_" + sys.argv[3])(account["id"], limit=80)
print(json.dumps([one["acct"] for one in client.fetch_remaining(listed)]))
print(client.ratelimit_limit, client.ratelimit_remaining)
]]

describe("python3-mastodon #slow", function()
  for _, dialect in ipairs(dialects) do
    for _, listing in ipairs { "followers", "following" } do
      it(("lists the same %s as we do: %s"):format(listing, dialect), function()
        local found = daub.run({ "-c", "import mastodon" }, { program = "/usr/bin/python3" })
        if found.code ~= 0 then return pending("python3-mastodon is not installed") end
        start(dialect)
        log_in()
        local token = accounts.get("mastodon").token
        network:set({ people = 320, token = "needed" })
        local r = daub.run({ "-c", LISTING, network.url, token, listing },
          { program = "/usr/bin/python3" })
        assert.equal(0, r.code, r.err)
        local theirs, ours = assert(json.decode(r.out:match("^[^\n]*"))), {}
        local source = assert(sources.parse("mastodon:alice@one.test",
          { api = network.url, who = listing }))
        assert(collect.preview({ source }, { report = support.reporter(),
          visit = function(_, who) ours[#ours + 1] = who.handle:gsub("@one.test$", "") end }))
        assert.same(theirs, ours)
        assert.equal(listing == "followers" and 320 or 40, #ours)
        assert.matches("\n300 299\n", r.out)
      end)
    end
  end

  it("takes the header we have hung for the account's own", function()
    local found = daub.run({ "-c", "import mastodon" }, { program = "/usr/bin/python3" })
    if found.code ~= 0 then return pending("python3-mastodon is not installed") end
    start("mastodon")
    log_in()
    assert(publishing.hang(assert(publisher.new({ http = session })), picture(4)))
    local r = daub.run({ "-c", [[
import sys
from mastodon import Mastodon
client = Mastodon(api_base_url=sys.argv[1], access_token=sys.argv[2], version_check_mode="none")
print(client.account_verify_credentials()["header"])
client.account_update_credentials(header=sys.argv[3], header_mime_type="image/png")
print(client.account_verify_credentials()["header"])
]], network.url, accounts.get("mastodon").token, (function()
      local path = scratch .. "/theirs.png"
      assert(system.write_file(path, picture(5, "png")))
      return path
    end)() }, { program = "/usr/bin/python3" })
    assert.equal(0, r.code, r.err)
    local ours, theirs = r.out:match("^(%S+)\n(%S+)\n$")
    assert.not_equal(ours, theirs)
    assert.equal(theirs, shown()) -- their way of setting it is understood as well
  end)
end)
