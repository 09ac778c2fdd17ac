-- Facebook: what its API still shows, why it shows nothing else, and the login on another device.
local accounts = require "daub.accounts"
local collection = require "daub.collect.collection"
local http = require "daub.http"
local login = require "daub.login.facebook"
local person = require "support.person"
local sources = require "daub.collect.sources"
local support = require "support.collecting"
local system = require "daub.core.system"

local folder = accounts.folder
before_each(function()
  local scratch = support.folder()
  accounts.folder = function() return scratch end
  accounts.save("facebook", "4242", { token = "the-access-token" })
end)
after_each(function()
  accounts.folder = folder
  support.clean_up()
end)
teardown(support.stop)

local old = { "--dialect", "old" }

local function collect(network, spec, path)
  local summary, counts = support.collect(path or support.folder() .. "/c", spec,
    { api = network.url })
  return counts, summary
end

describe("collecting from Facebook", function()
  it("takes in friends with covers where the app may still read them", function()
    local network = support.network("facebook", old)
    local path = support.folder() .. "/c"
    local counts, summary = collect(network, "facebook:me", path)
    assert.same({}, summary.failures)
    assert.same({ people = 130, pictures = 117, skipped = { ["no-cover"] = 13 } }, counts)
    assert.equal(2, network:asked("/me/friends"))
    assert.equal(0, network:asked("the%-access"))
    local covers = assert(collection.open(path))
    assert.equal("100000000000000129", covers.store:row("select max(key) as key from people").key)
    covers:close()
    assert.is_nil(system.read_file(path .. "/collection.db"):find("the-access-token", 1, true))
    network:set({ signed = 2 }) -- addresses are signed anew, the pictures are the same
    network:forget()
    assert.same(counts, (collect(network, "facebook:me", path)))
    assert.equal(0, network:asked("/cover/"))
  end)

  it("asks again at the address as it is signed now", function()
    local network = support.network("facebook", old)
    local path = support.folder() .. "/c"
    network:fault({ match = "cover/0005", kind = "403" })
    assert.equal(116, (collect(network, "facebook:me", path)).pictures)
    network:set({ signed = 2 })
    collect(network, "facebook:me", path) -- may still ask at the address of before
    assert.equal(117, (collect(network, "facebook:me", path)).pictures)
  end)

  it("takes in the Pages somebody follows, and Pages by name", function()
    local network = support.network("facebook")
    local counts, summary = collect(network, "facebook:me?following")
    assert.same({}, summary.failures)
    assert.equal(130, counts.pictures)
    counts = collect(network, "facebook:nasa,esa,jaxa")
    assert.same({ people = 3, pictures = 3, skipped = {} }, counts)
    summary = select(2, collect(network, "facebook:nasa,nobody"))
    assert.matches("facebook:nasa,nobody: no such Page", summary.failures[1])
  end)

  for _, case in ipairs {
    { "errors", "friends", "gives no covers of people to apps any more.*archive:PATH" },
    { "hidden", "friends", "only those friends who use it, too %(none of 412%).*archive:PATH" },
    { "expired", "friends", "no longer good %(run: daub login facebook%)" },
    { "protected", "friends", "lacks a permission %(Requires user_likes" },
    { "repeat", "friends", "same page again", 99 },
    { "html", "friends", "an HTML page came where JSON was expected" },
    { "elsewhere", "friends", "redirect" },
    { "bomb", "friends", "more than %d+ bytes", 99 },
    { "gone", "friends", "404" },
    { "403-usage", "friends", "max_wait", 99 },
  } do
    it("says what is wrong: " .. case[1], function()
      local network = support.network("facebook", old)
      network:fault({ match = case[2], kind = case[1], times = case[4] or 1 })
      local summary = support.collect(support.folder() .. "/c", "facebook:me",
        { api = network.url, max_wait = 1 })
      assert.equal(1, #summary.failures)
      assert.matches(case[3], summary.failures[1])
    end)
  end

  it("says so of friends who all come without covers, and of who is not logged in", function()
    local network = support.network("facebook")
    local _, summary = collect(network, "facebook:me")
    assert.matches("gives no covers of people to apps any more.*archive:PATH", summary.failures[1])
    accounts.remove("facebook", "4242")
    local _, message, code = sources.parse("facebook:me")
    assert.same({ "facebook: not logged in (run: daub login facebook)", "login" },
      { message, code })
    _, _, code = sources.parse("facebook:me/../x")
    assert.equal("usage", code)
  end)
end)

describe("logging in to Facebook", function()
  it("waits for the code to be typed elsewhere, and takes the permissions back", function()
    local network = support.network("facebook")
    network:set({ answers = { 1349174, 1349172 } })
    local o = { api = network.url, http = http.session() }
    local ui = person.new { "123", "the-client-token" }
    local name, fields = login.login(ui, o)
    assert.equal("4242", name)
    assert.equal("the-access-token", fields.token)
    assert.equal(5 + 5 + 10, ui.waited)
    assert.matches("A1NWZ9", table.concat(ui.said, "\n"), 1, true)
    assert.is_true(login.logout(fields, o))
    network:set({ answers = { 1349152 } })
    local _, message = login.login(person.new { "123", "the-client-token" }, o)
    assert.equal("the code has expired (run it again)", message)
    _, message = login.login(person.new { "123", "another" }, o)
    assert.matches("Invalid OAuth access token", message)
  end)
end)
